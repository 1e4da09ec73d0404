//! The contract (`semantics.md`) as tests: every row of the Decisions table as named cases (`rows_*`), every invariant
//! as a property (`invariants_*`). Both run the decisions through the same small engine.

mod answers;
mod disk;
mod downloads;
mod engine;
mod generate;
mod honest;
mod invariants;
mod judge;
mod outcome;
mod parse;
mod print;
mod rows_any;
mod rows_discovery;
mod rows_fallback;
mod rows_local;
mod rows_pinned;
mod rows_range;
mod rows_resume;
mod rows_s3;
mod rows_tiers;
mod rows_versions;
mod rows_whole;
mod transfer;
mod world;
