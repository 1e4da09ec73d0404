//! The contract suite: what every upstream does, whatever it talks to.
//!
//! In reading order: `bench` (an upstream and its server), `honest` (answers to every kind of question), `faulty` (what
//! becomes of servers that break or lie). An upstream's own peculiarities are tested beside it.

pub(super) mod bench;
mod faulty;
mod honest;

use bench::Bench;

/// One test for each case and bench.
macro_rules! suite {
    ($cases:ident: $($case:ident)* => $($bench:ident)*) => { suite!(@ $cases [$($case)*] $($bench)*); };
    (@ $cases:ident $list:tt $($bench:ident)*) => { $(suite!(# $cases $bench $list);)* };
    (# $cases:ident $bench:ident [$($case:ident)*]) => {
        mod $bench {
            $(#[tokio::test]
            async fn $case() {
                super::super::$cases::$case(&super::super::Bench::$bench().await).await;
            })*
        }
    };
}

mod of_honest_servers {
    suite!(honest:
        whole span from suffix outside missing empty empty_ranges
        pinned pinned_to_one_of_several pinned_ranges unless unless_with_a_range or_whole
        head head_with_conditions head_ignores_ranges fields_pass side_by_side refused
        => http http_at_s3 s3 s3_at_origin);
}

mod of_s3_dialect {
    suite!(honest: parts odd_keys => http_at_s3 s3);
}

mod of_http_dialect {
    suite!(honest: odd_paths => http);
}

mod of_faulty_servers {
    suite!(faulty:
        no_answer reset garbage large_head cut_bodies stalled_bodies chunked_and_unframed
        statuses ignored_fields lying_ranges interim saturation
        => http s3_at_origin);
}
