//! The command line: what is printed where, and exit codes.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pinstripe() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinstripe"));
    command.env_remove("PINSTRIPE_CONFIG").env_remove("PINSTRIPE_LOG");
    command
}

fn output(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[expect(clippy::disallowed_methods, reason = "tests write what the process is to read")]
fn write(folder: &tempfile::TempDir, text: impl AsRef<[u8]>) -> PathBuf {
    let file = folder.path().join("p.yaml");
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn five_faults_are_five_lines_and_exit_code_64() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(
        &folder,
        "listen:\n  - address: 127.0.0.1:1\n    foward: true\nshutdown: soon\ntiers:\n  store: { s3: { bucket: abc } }\nroutes:\n  - name: a\n    tiers: [stor]\n    grace: 15\n    auth: [shared]\n",
    );
    for command in ["check", "run"] {
        let (code, stdout, stderr) = output(pinstripe().arg(command).arg("--config").arg(&file));
        assert_eq!((code, stdout.as_str()), (64, ""), "{stderr}");
        let file = file.display();
        let expected = [
            format!("{file}:3:5: listen[0].foward: unknown key, did you mean `forward`?; expected one of "),
            format!("{file}:4:11: shutdown: \"soon\" is no duration; expected a duration in ms, s, m, h or d"),
            format!(
                "{file}:9:13: routes[0].tiers[0]: there is no tier `stor`, did you mean `store`?; expected one of `store`"
            ),
            format!("{file}:10:12: routes[0].grace: invalid value: integer `15`; expected a duration"),
            format!("{file}:11:5: routes[0].auth: invalid type: sequence; expected `bypass`, `check` or `shared`"),
        ];
        let lines: Vec<_> = stderr.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{stderr}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.starts_with(&expected), "{line}\n{expected}");
        }
    }
}

#[test]
fn a_sound_file_is_ok_and_said_to_be() {
    let file = root().join("config/s3.yaml");
    let (code, stdout, stderr) = output(
        pinstripe()
            .arg("check")
            .env("PINSTRIPE_CONFIG", &file)
            .env("BUCKET", "mine"),
    );
    assert_eq!((code, stderr.as_str()), (0, ""));
    let summary = "  artifacts: /mine/ -> local (200GiB on disk), shared (s3://mine/); auth shared\n";
    assert_eq!(stdout, format!("{}: ok\n{summary}", file.display()));
}

#[test]
fn bad_input_is_exit_code_64_and_help_is_0() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere.yaml");
    let (code, _, stderr) = output(pinstripe().arg("check").arg("--config").arg(&nowhere));
    assert_eq!((code, stderr.lines().count()), (64, 1), "{stderr}");
    assert!(
        stderr.contains("nowhere.yaml") && stderr.contains("--config"),
        "{stderr}"
    );

    let file = write(&folder, b"listen: \xff");
    let (code, _, stderr) = output(pinstripe().arg("check").arg("--config").arg(&file));
    assert_eq!(code, 64);
    assert!(
        stderr.ends_with("p.yaml:1:9: this is no UTF-8; expected text in UTF-8\n"),
        "{stderr}"
    );

    for arguments in [
        &["chekc"][..],
        &[],
        &["run", "--config"],
        &["run", "--nope"],
        &["run", "--log-level", "verbose"],
    ] {
        assert_eq!(output(pinstripe().args(arguments)).0, 64, "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["run", "--help"], &["--version"], &["help", "check"]] {
        assert_eq!(output(pinstripe().args(arguments)).0, 0, "{arguments:?}");
    }
}

#[test]
fn the_schema_is_printed_as_json() {
    let (code, stdout, stderr) = output(pinstripe().arg("schema"));
    assert_eq!((code, stderr.as_str()), (0, ""));
    let schema: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(schema, pinstripe::config::schema());
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

/// The exit code where the shell redirects as told.
fn redirected(arguments: &str, redirection: &str) -> i32 {
    let line = format!("exec \"$0\" {arguments} {redirection}");
    output(Command::new("sh").args(["-c", &line, env!("CARGO_BIN_EXE_pinstripe")])).0
}

#[test]
fn where_nobody_can_be_told_the_exit_code_says_it() {
    let folder = tempfile::tempdir().unwrap();
    let faulty = write(&folder, "listen: 5").display().to_string();
    for stderr in ["2>/dev/full", "2>&-", "2>&- >&-"] {
        let check = |arguments: &str, code| assert_eq!(redirected(arguments, stderr), code, "{arguments} {stderr}");
        check(&format!("check --config '{faulty}'"), 64);
        check(&format!("run --config '{faulty}'"), 64);
        check("check --config /nowhere.yaml", 64);
        check("nothing", 64);
    }
    assert_eq!(redirected("schema", ">/dev/full"), 1);
    assert_eq!(redirected("schema", ">/dev/full 2>/dev/full"), 1);
    assert_eq!(redirected("schema", ">&-"), 0);
}
