//! How a run of the disk ends: orderly, by a crash, with files that were damaged meanwhile.

use std::path::Path;

use pinstripe::tier::store::{BlockStore, Known};
use proptest::sample::Index;

use super::KEYS;
use super::objects::revision;
use super::state::Model;

impl Model {
    pub(crate) fn restart(&mut self) {
        self.fills.clear();
        self.disk = None;
        self.open();
    }

    pub(crate) async fn crash(&mut self) {
        let from = self.root();
        // What was forgotten is unlinked soon, not at once.
        while std::mem::take(&mut self.forgotten) {
            let mut blocks = 0;
            each_file(&from, &mut |path| blocks += u64::from(is_block(path)));
            self.forgotten = blocks != self.disk().stats().blocks;
            std::thread::yield_now();
        }
        self.runs += 1;
        copy(&from, &self.root());
        self.fills.clear();
        self.disk = None;
        self.open();
        // Records are written soon, not at once.
        for n in 0..KEYS {
            let key = revision((n, 0)).key;
            let known = self.disk().known(&key).await;
            let learnt = self.learnt.entry(n).or_default();
            assert!(known == Known::UNKNOWN || learnt.contains(&known), "{known:?}");
            self.memory.learn(&key, known);
        }
    }

    pub(crate) fn damage(&mut self, file: &Index, at: &Index) {
        let mut files = Vec::new();
        each_file(&self.root(), &mut |path| files.push(path.to_owned()));
        files.retain(|path| !path.ends_with("lock"));
        files.sort();
        if files.is_empty() {
            return;
        }
        let path = &files[file.index(files.len())];
        // Evicted meanwhile, perhaps.
        if let Ok(mut bytes) = std::fs::read(path)
            && !bytes.is_empty()
        {
            // From now on this file may be missing; which one it is does not matter to the rule.
            self.lossy = true;
            let at = at.index(bytes.len());
            bytes[at] ^= 1;
            use std::os::unix::fs::FileExt;
            let file = std::fs::OpenOptions::new().write(true).open(path);
            let _ = file.map(|file| file.write_all_at(&bytes[at..=at], u64::try_from(at).unwrap()));
        }
    }
}

fn is_block(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.get(32) == Some(&b'-')
}

fn each_file(directory: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_file(&path, each);
        } else {
            each(&path);
        }
    }
}

/// Copies what a kill would leave. Files that vanish meanwhile are in flight or evicted.
fn copy(from: &Path, to: &Path) {
    each_file(from, &mut |path| {
        let target = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        let _ = std::fs::copy(path, target);
    });
}
