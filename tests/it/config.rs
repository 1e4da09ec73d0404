//! The configuration as people meet it: the files that are shipped, and the schema.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A shipped text that is a configuration: a file of its own, or one inside a manifest.
struct Shipped {
    name: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(root().join(folder)) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut yaml: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|kind| kind == "yaml" || kind == "yml"))
        .collect();
    yaml.sort();
    yaml
}

#[expect(clippy::disallowed_methods, reason = "tests read what is shipped")]
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn shipped() -> Vec<Shipped> {
    let files = yaml_files("config").into_iter().map(|path| Shipped {
        name: path.display().to_string(),
        text: read(&path),
    });
    let embedded = yaml_files("deploy").into_iter().flat_map(|path| embedded(&path));
    files.chain(embedded).collect()
}

/// The configurations in the ConfigMaps of a manifest.
fn embedded(path: &Path) -> Vec<Shipped> {
    use serde::Deserialize as _;
    let text = read(path);
    let documents =
        serde_yaml::Deserializer::from_str(&text).map(|document| serde_yaml::Value::deserialize(document).unwrap());
    let maps = documents.filter(|document| document.get("kind").is_some_and(|kind| kind == "ConfigMap"));
    maps.flat_map(|map| {
        let data = map
            .get("data")
            .and_then(serde_yaml::Value::as_mapping)
            .cloned()
            .unwrap_or_default();
        data.into_iter().filter_map(|(key, text)| {
            let (key, text) = (key.as_str()?.to_owned(), text.as_str()?.to_owned());
            let name = format!("{}: {key}", path.display());
            key.ends_with(".yaml").then_some(Shipped { name, text })
        })
    })
    .collect()
}

fn as_json(text: &str) -> Value {
    let tree: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    serde_json::to_value(tree).unwrap()
}

/// Calls back with the path of each key, its schema and its value.
fn walk(
    schema: &Value,
    node: &Value,
    value: Option<&Value>,
    path: &str,
    seen: &mut dyn FnMut(&str, &Value, Option<&Value>),
) {
    let node = resolve(schema, node);
    let children = |value: Option<&Value>| {
        value
            .and_then(Value::as_object)
            .map(|map| map.values().cloned().collect::<Vec<_>>())
    };
    for (key, child) in node["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        let value = value.and_then(|value| value.get(key));
        seen(&path, child, value);
        walk(schema, child, value, &path, seen);
    }
    if node.get("items").is_some() {
        for value in value.and_then(Value::as_array).into_iter().flatten() {
            walk(schema, &node["items"], Some(value), path, seen);
        }
    }
    if node["additionalProperties"].is_object() {
        for value in children(value).unwrap_or_default() {
            walk(schema, &node["additionalProperties"], Some(&value), path, seen);
        }
    }
}

/// Follows references, and takes what is not null of what may be.
fn resolve<'s>(schema: &'s Value, node: &'s Value) -> &'s Value {
    if let Some(reference) = node["$ref"].as_str() {
        return resolve(schema, schema.pointer(reference.trim_start_matches('#')).unwrap());
    }
    let some = node["anyOf"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|of| of["type"] != "null");
    some.map_or(node, |of| resolve(schema, of))
}

#[test]
fn what_is_shipped_is_valid() {
    let validator = jsonschema::validator_for(&pinstripe::config::schema()).unwrap();
    let shipped = shipped();
    assert!(shipped.len() >= 4);
    for Shipped { name, text } in shipped {
        let config = pinstripe::config::Config::parse(&text, &|_| None);
        assert!(config.is_ok(), "{}", config.unwrap_err().in_file(name));
        let mut errors = String::new();
        for error in validator.iter_errors(&as_json(&text)) {
            writeln!(errors, "{name}: {}: {error}", error.instance_path()).unwrap();
        }
        assert!(errors.is_empty(), "{errors}");
    }
}

/// The reference for people and the one for machines say the same.
#[test]
fn the_annotated_file_has_every_key_with_its_default() {
    let schema = pinstripe::config::schema();
    let file = as_json(&read(&root().join("config/pinstripe.yaml")));
    let (mut keys, mut shown, mut others) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    walk(&schema, &schema, Some(&file), "", &mut |path, schema, value| {
        keys.insert(path.to_owned());
        let Some(value) = value else { return };
        shown.insert(path.to_owned());
        let default = schema.get("default");
        if default.is_some_and(|default| default != value) {
            others.insert(format!("{path}: {value}"));
        }
    });
    let missing: Vec<_> = keys.difference(&shown).collect();
    assert!(missing.is_empty() && keys.len() > 60, "{missing:?} of {}", keys.len());
    // What an example needs otherwise, and says so in its comment.
    let meant = [
        ".listen.forward: true",
        ".routes.auth: \"shared\"",
        ".tiers.s3.path_style: true",
    ];
    assert_eq!(others, meant.map(str::to_owned).into());
}

/// A default in the schema is what leaving the key out means.
#[test]
fn defaults_are_what_is_left_out() {
    let schema = pinstripe::config::schema();
    let short = "
listen: [{ address: '127.0.0.1:1' }]
tiers:
  d: { disk: { path: /d, capacity: 1GiB } }
  s: { s3: { bucket: abc } }
  h: { http: { url: 'http://h' } }
routes:
  - { name: s, match: { path: /s }, tiers: [d, s], auth: shared }
  - { name: h, match: { path: /h }, tiers: [d, h] }
";
    let mut long = as_json(short);
    fill_in(&schema, &schema, &mut long, "");
    let long = serde_json::to_string_pretty(&long).unwrap();
    assert!(
        long.contains("first_byte") && long.contains("max_connections") && long.contains("pinstripe"),
        "{long}"
    );
    let parse = |text: &str| {
        format!(
            "{:#?}",
            pinstripe::config::Config::parse(text, &|_| None).unwrap_or_else(|f| panic!("{f}\n{text}"))
        )
    };
    assert_eq!(parse(short), parse(&long));
}

/// Writes every default into a configuration, but for those that only go with another choice.
fn fill_in(schema: &Value, node: &Value, value: &mut Value, path: &str) {
    let node = resolve(schema, node);
    for (key, child) in node["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        let object = value.as_object_mut().unwrap();
        let is_section = resolve(schema, child)["properties"].is_object();
        let is_a_kind = resolve(schema, node).get("maxProperties").is_some();
        match child.get("default") {
            Some(default) if ![".tiers.http.allow", ".routes.writes"].contains(&&*path) => {
                object.entry(key).or_insert_with(|| default.clone());
            }
            None if is_section && !is_a_kind => drop(
                object
                    .entry(key)
                    .or_insert_with(|| Value::Object(serde_json::Map::new())),
            ),
            _ => {}
        }
        match object.get_mut(key) {
            Some(child_value) => fill_in(schema, child, child_value, &path),
            None => continue,
        }
    }
    for value in value.as_array_mut().into_iter().flatten() {
        fill_in(schema, &node["items"], value, path);
    }
    if node["additionalProperties"].is_object() {
        for value in value.as_object_mut().into_iter().flat_map(|map| map.values_mut()) {
            fill_in(schema, &node["additionalProperties"], value, path);
        }
    }
}

#[test]
fn the_schema_describes_every_key() {
    let schema = pinstripe::config::schema();
    assert!(jsonschema::meta::is_valid(&schema));
    let file = as_json(&read(&root().join("config/pinstripe.yaml")));
    walk(&schema, &schema, Some(&file), "", &mut |path, node, _| {
        let description = node["description"].as_str().unwrap_or_default();
        assert!(description.len() > 5, "{path} has no description");
    });
}

/// What the schema refuses as the product does: mistakes that an editor can underline.
#[test]
fn the_schema_refuses_what_it_can_see() {
    let validator = jsonschema::validator_for(&pinstripe::config::schema()).unwrap();
    let base = read(&root().join("config/pinstripe.yaml"));
    let check = |from: &str, to: &str, valid: bool| {
        assert!(base.contains(from), "{from}");
        assert_eq!(validator.is_valid(&as_json(&base.replacen(from, to, 1))), valid, "{to}");
    };
    check("capacity: 50GiB", "capcity: 50GiB", false);
    check("capacity: 50GiB", "capacity: 50GB", true);
    check("capacity: 50GiB", "capacity: 50G", false);
    check("capacity: 50GiB", "capacity: 53687091200", true);
    check("capacity: 50GiB", "capacity: ${CAPACITY}", true);
    check("capacity: 50GiB", "capacity: ", false);
    check("grace: 15m", "grace: 15", false);
    check("grace: 15m", "grace: 0", true);
    check("grace: 15m", "grace: '1h 30m'", true);
    check("grace: 15m", "grace: 15 minutes", false);
    check("forward: false", "forward: 'no'", false);
    check("forward: false", "forward: '${FORWARD}'", true);
    check("access_log: errors", "access_log: '${LOG:-all}'", true);
    check("access_log: errors", "access_log: error", false);
    check("requests: 8192", "requests: 0", false);
    check("requests: 8192", "requests: 1000001", false);
    check("path: /artifacts/", "path: artifacts/", false);
    check("[local, shared]", "[]", false);
    check("[local, shared]", "[null]", false);
    check("url: request", "url: ftp://a", false);
    check("url: request", "urls: [http://a]", true);
    check("url: request", "urls: [request]", false);
    check("url: request", "urls: []", false);
    check("url: request", "url: http://a\n      urls: [http://b]", false);
    check("url: request", "spread: true", false);
    check("url: request", "url: https://user:secret@a", false);
    check("  local:\n", "  lo.cal:\n", false);
    check("instance: pinstripe", "instance: ", true);
    check(
        "    http:\n      url: request",
        "    s3: { bucket: abc }\n    http:\n      url: request",
        false,
    );
}
