//! `pinstripe disk`: looking at what a running sidecar holds, with the real binary.
#![expect(clippy::disallowed_methods, reason = "files are damaged from outside")]

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use pinstripe_kit::origin::{Origin, Resource};
use pinstripe_kit::pattern::Pattern;
use serde_json::Value;

use crate::support::{Sidecar, http_config};

const SIZE: u64 = 200_000;

/// A sidecar that holds an object whole, and one block of what it was before.
async fn stage() -> (Origin, Sidecar, PathBuf) {
    let origin = Origin::start().await.unwrap();
    let config = http_config(&origin.url(), "");
    let sidecar = Sidecar::start(&config).await;
    let put = |revision| origin.put("/dir/o", Resource::pattern(Pattern::new(1, revision), SIZE));
    put(1);
    assert_eq!(sidecar.get("GET /dir/o; Range: bytes=0-99").await.status(), 206);
    put(2);
    assert_eq!(sidecar.get("GET /dir/o").await.status(), 200);
    let file = sidecar.disk.path().join("pinstripe.yaml");
    let cache = sidecar.disk.path().join("cache").display().to_string();
    std::fs::write(&file, config.replace("{disk}", &cache)).unwrap();
    // Both are stored a moment after the last byte went out.
    while blocks(sidecar.disk.path()).len() < 5 || files(sidecar.disk.path()).len() < 6 {
        tokio::task::yield_now().await;
    }
    (origin, sidecar, file)
}

fn blocks(folder: &Path) -> Vec<PathBuf> {
    let mut blocks = files(folder);
    blocks.retain(|path| path.extension().is_none());
    blocks
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let directories = std::fs::read_dir(folder.join("cache")).unwrap();
    let directories = directories.map(|entry| entry.unwrap().path());
    let files = directories.filter(|path| path.is_dir() && !path.ends_with("tmp"));
    let files = files.flat_map(|path| std::fs::read_dir(path).unwrap());
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn disk(page: &str, file: &Path, more: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinstripe"));
    let output = command
        .args(["disk", page, "--config"])
        .arg(file)
        .args(more)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_sidecars_disk_is_listed_summed_up_and_sound() {
    let (_origin, sidecar, file) = stage().await;
    let cache = sidecar.disk.path().join("cache").display().to_string();

    let (code, stdout, stderr) = disk("verify", &file, &[]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(
        stdout.starts_with(&format!("local: {cache}: 5 blocks and 1 record are sound, ")),
        "{stdout}"
    );

    let (code, stdout, _) = disk("list", &file, &[]);
    let lines: Vec<_> = stdout.lines().collect();
    assert_eq!((code, lines.len()), (0, 4), "{stdout}");
    assert!(lines[1].starts_with("  artifacts /dir/o  confirmed "), "{stdout}");
    let etag = |revision| Pattern::new(1, revision).etag();
    let current = format!("    current  {}  195.3 KiB, 4 of 4 blocks, ", etag(2));
    let former = format!("    former   {}  195.3 KiB, 1 of 4 blocks, ", etag(1));
    assert!(
        lines[2].starts_with(&current) && lines[3].starts_with(&former),
        "{stdout}"
    );

    let (code, stdout, _) = disk("usage", &file, &["--json"]);
    let usage: Value = serde_json::from_str(&stdout).unwrap();
    let sums = &usage[0]["routes"]["artifacts"];
    assert_eq!((code, &sums["objects"], &sums["revisions"]), (0, &1.into(), &2.into()));
    let sizes = blocks(sidecar.disk.path());
    let sizes = sizes.iter().map(|path| std::fs::metadata(path).unwrap().len());
    assert!(sums["bytes"].as_u64().unwrap() > sizes.sum(), "{stdout}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_is_named_and_exit_code_1() {
    let (_origin, sidecar, file) = stage().await;
    // It may just be looking at a revision that is complete, and drops what it finds damaged.
    let folder = sidecar.stop().await;
    let all = blocks(folder.path());
    let [flipped, cut, swapped, other, foreign] = &all[..] else {
        panic!("{all:?}");
    };
    let edit = |path: &Path, edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = std::fs::read(path).unwrap();
        edit(&mut bytes);
        std::fs::write(path, bytes).unwrap();
    };
    edit(flipped, &|bytes| bytes[100] ^= 1);
    edit(cut, &|bytes| bytes.truncate(300));
    std::fs::copy(other, swapped).unwrap();
    edit(foreign, &|bytes| {
        let version = bytes.len() - 12;
        bytes[version] = 9;
    });
    std::fs::write(folder.path().join("cache/README"), "not ours").unwrap();

    let (code, stdout, stderr) = disk("verify", &file, &[]);
    assert_eq!((code, stderr.lines().count()), (1, 1), "{stderr}");
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    for (path, why) in [
        (flipped, "damaged: bytes 0-"),
        (cut, "damaged: its end does not check"),
        (swapped, "damaged: it is not what its name says"),
        (foreign, "of another version of Pinstripe"),
    ] {
        let told = stdout
            .lines()
            .any(|line| line.contains(&name(path)) && line.contains(why));
        assert!(told, "{path:?} {why}\n{stdout}");
    }
    let summary = stdout.lines().last().unwrap();
    assert!(summary.contains("1 block and 1 record are sound"), "{stdout}");
    assert!(summary.ends_with("3 damaged, 1 foreign"), "{stdout}");

    let (code, stdout, _) = disk("verify", &file, &["--json"]);
    let checks: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, checks[0]["damaged"].as_array().unwrap().len()), (1, 3));
    // Looking changes nothing: the sidecar is the one who removes.
    assert_eq!(blocks(folder.path()), all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_the_files_are_the_owners_of_the_folder() {
    const SOMEBODY: Option<u32> = Some(65534);
    let (_origin, sidecar, file) = stage().await;
    let folder = sidecar.stop().await;
    let cache = folder.path().join("cache");
    let all = [files(folder.path()), vec![cache]].concat();
    if all
        .iter()
        .any(|path| std::os::unix::fs::chown(path, SOMEBODY, None).is_err())
    {
        println!("files cannot be given away here, so this was not tested");
        return;
    }
    let (code, stdout, _) = disk("verify", &file, &[]);
    assert!(
        code == 0 && stdout.contains("5 blocks and 1 record are sound"),
        "{stdout}"
    );
    // One that is another's was put there.
    std::os::unix::fs::chown(&all[0], Some(0), None).unwrap();
    let (code, stdout, _) = disk("verify", &file, &[]);
    assert!(
        code == 1 && stdout.contains("damaged: it is a link, no file, or another user's"),
        "{stdout}"
    );
}

#[test]
fn what_cannot_be_looked_at_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.yaml");
    let (code, _, _) = disk("verify", &file, &[]);
    assert_eq!(code, 64);
    let nowhere = folder.path().join("nowhere").display().to_string();
    std::fs::write(&file, http_config("http://127.0.0.1:1", "").replace("{disk}", &nowhere)).unwrap();
    let (code, stdout, stderr) = disk("usage", &file, &[]);
    assert_eq!((code, stdout.as_str(), stderr.lines().count()), (1, "", 1), "{stderr}");
    assert!(stderr.contains("tier local") && stderr.contains(&nowhere), "{stderr}");
    assert_eq!(disk("wipe", &file, &[]).0, 64);
}
