//! The files of the repository, and the modules that they are.

use std::fs;
use std::path::{Path, PathBuf};

use super::tokens::{Kind, Token, paths, tokens, without_tests};

#[derive(Debug)]
pub(super) struct File {
    /// From the top of the repository.
    pub(super) path: String,
    /// Of the module, from the crate's root.
    module: Vec<String>,
    /// Whether it is only compiled for tests.
    pub(super) test: bool,
    pub(super) tokens: Vec<Token>,
    pub(super) lines: usize,
}

impl File {
    pub(super) fn new(path: &str, module: &[String], test: bool, text: &str) -> Self {
        let (path, module) = (path.to_owned(), module.to_owned());
        let (tokens, lines) = (tokens(text), text.lines().count());
        Self {
            path,
            module,
            test,
            tokens,
            lines,
        }
    }

    /// The module right under the crate's root that it belongs to.
    pub(super) fn top(&self) -> &str {
        let root = if self.path == "src/main.rs" { "main" } else { "lib" };
        self.module.first().map_or(root, String::as_str)
    }

    /// Paths that the code names, but for tests.
    pub(super) fn used(&self) -> Vec<(usize, Vec<String>)> {
        paths(&without_tests(&self.tokens))
    }

    /// What a path names, from the crate's root; `None` if it is of another crate or of a module next to it.
    pub(super) fn crate_path<'p>(&self, path: &'p [String]) -> Option<&'p [String]> {
        let (first, rest) = path.split_first()?;
        let supers = path.iter().take_while(|part| *part == "super").count();
        match first.as_str() {
            "crate" if rest.is_empty() => None,
            "crate" => Some(rest),
            "pinstripe" if self.path == "src/main.rs" => Some(rest),
            "super" if supers == self.module.len() => path.get(supers..),
            _ => None,
        }
    }
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of the product, as its modules name them.
pub(super) fn tree() -> Vec<File> {
    let files = modules("").into_iter().filter(|file| file.path.starts_with("src/"));
    let files: Vec<_> = files.collect();
    assert!(files.len() > 20, "the tree is not found any more");
    files
}

/// The folders of packages, as prefixes of paths.
pub(super) fn packages() -> impl Iterator<Item = String> {
    let manifests = files("toml").into_iter();
    manifests.filter_map(|path| path.strip_suffix("Cargo.toml").map(str::to_owned))
}

/// Every file with that extension, from the top of the repository.
pub(super) fn files(extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if path.extension().is_some_and(|is| is == extension) {
                found.push(path.strip_prefix(root()).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// The files of a package that are compiled: those which Cargo finds by itself, and what their `mod`s lead to.
pub(super) fn modules(package: &str) -> Vec<File> {
    let is_root = |path: &&String| {
        let parts: Vec<_> = path.strip_prefix(package).unwrap_or_default().split('/').collect();
        matches!(
            parts.as_slice(),
            ["build.rs"]
                | ["src", "lib.rs" | "main.rs"]
                | ["src", "bin", _]
                | ["tests" | "examples" | "benches", _]
                | ["tests" | "examples" | "benches", _, "main.rs"]
                | ["fuzz_targets", _]
        )
    };
    let mut found = Vec::new();
    for path in files("rs").iter().filter(is_root) {
        descend(File::new(path, &[], false, &read(path)), &mut found);
    }
    found
}

fn descend(file: File, found: &mut Vec<File>) {
    let compiled = without_tests(&file.tokens);
    for declared in declarations(&file.tokens) {
        let candidates = declared.files(&file);
        let Some(path) = candidates.iter().find(|path| root().join(path).exists()) else {
            continue; // The compiler says so.
        };
        let test = file.test || !declarations(&compiled).contains(&declared);
        let module = [file.module.clone(), declared.inside, vec![declared.name]].concat();
        descend(File::new(path, &module, test, &read(path)), found);
    }
    found.push(file);
}

/// `mod name;`, maybe inside of inline modules, maybe with `#[path = "…"]`.
#[derive(Debug, PartialEq)]
pub(super) struct Declaration {
    inside: Vec<String>,
    name: String,
    path: Option<String>,
}

impl Declaration {
    /// Where the file may be.
    pub(super) fn files(&self, file: &File) -> Vec<String> {
        let at = Path::new(&file.path);
        let folder = at.parent().unwrap();
        if let Some(path) = &self.path {
            return vec![folder.join(path).to_string_lossy().into_owned()];
        }
        let stem = at.file_stem().unwrap();
        let owns_folder = file.module.is_empty() || stem == "mod";
        let mut folder: PathBuf = if owns_folder {
            folder.to_owned()
        } else {
            folder.join(stem)
        };
        folder.extend(&self.inside);
        let names = [format!("{}.rs", self.name), format!("{}/mod.rs", self.name)];
        names
            .map(|name| folder.join(name).to_string_lossy().into_owned())
            .into()
    }
}

pub(super) fn declarations(tokens: &[Token]) -> Vec<Declaration> {
    let (mut found, mut path, mut open) = (Vec::new(), None, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        match tokens.get(at..).unwrap_or_default() {
            [
                a,
                b,
                Token {
                    kind: Kind::Text(text), ..
                },
                ..,
            ] if a.is("path") && b.is("=") => path = Some(text.clone()),
            [
                a,
                Token {
                    kind: Kind::Word(name), ..
                },
                end,
                ..,
            ] if a.is("mod") && end.is(";") => {
                let inside = open.iter().flatten().cloned().collect();
                found.push(Declaration {
                    inside,
                    name: name.clone(),
                    path: path.take(),
                });
            }
            _ if token.is("{") => open.push(match tokens.get(at.saturating_sub(2)..at) {
                Some(
                    [
                        a,
                        Token {
                            kind: Kind::Word(name), ..
                        },
                    ],
                ) if a.is("mod") => Some(name.clone()),
                _ => None,
            }),
            _ if token.is("}") => drop(open.pop()),
            _ => {}
        }
    }
    found
}

pub(super) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines())
}
