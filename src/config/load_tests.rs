//! What is loaded from where, and what is refused.

use super::*;
use crate::config::{DialectName, Mode};
use std::{io::Write, path::PathBuf};
use tempfile::NamedTempFile;

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// With that file (by its path, so that none lying about is read), environment and flags.
fn load(text: &str, env: &[(&str, &str)], args: &[&str]) -> Result<Loaded, String> {
    let file = file(text);
    let set = args.iter().map(|s| (*s).to_owned()).collect();
    let flags = Flags {
        config: Some(file.path().to_owned()),
        set,
        ..Flags::default()
    };
    let env = env.iter().map(|(k, v)| (k.into(), v.into()));
    let path = file.path().display().to_string();
    Loaded::of(&flags, env).map_err(|e| e.to_string().replace(&path, "FILE"))
}

#[track_caller]
fn refused(text: &str, env: &[(&str, &str)], args: &[&str], says: &[&str]) {
    let refused = load(text, env, args).err().expect("it was taken");
    for part in says {
        assert!(refused.contains(part), "{part:?} is not in {refused:?}");
    }
}

#[test]
fn flags_win_over_the_environment_over_the_file() {
    let text = "[store]\ngroup = 1\nreaders = 1\nack_timeout_ms = 1\n[memory]\nmode = \"read\"\n";
    let env = [
        ("SUNDYNIX_STORE__GROUP", "2"),
        ("SUNDYNIX_STORE__READERS", "2"),
        ("HOME", "/"),
    ];
    let loaded = load(text, &env, &["store.group=3"]).unwrap();
    let store = &loaded.config.store;
    assert_eq!(
        (store.group, store.readers, store.ack_timeout_ms),
        (3, 2, 1)
    );
    assert_eq!(loaded.config.memory.mode, Mode::Read);
    assert_eq!(loaded.origin("store.group"), &Origin::Flag("--set"));
    assert_eq!(
        loaded.origin("store.readers").to_string(),
        "SUNDYNIX_STORE__READERS"
    );
    assert!(
        loaded
            .origin("store.ack_timeout_ms")
            .to_string()
            .ends_with(":4")
    );
    assert_eq!(loaded.origin("store.spool_bytes"), &Origin::Default);
}

#[test]
fn backends_come_as_a_list_from_everywhere() {
    let text = "[[backend]]\nurl = \"http://a/v1\"\nmodels = [\"x\", \"y-*\"]\n[[backend]]\nurl = \"http://b/v1\"\n";
    let loaded = load(
        text,
        &[("SUNDYNIX_BACKEND__1__API_KEY", "k")],
        &["backend.0.models=z, w"],
    )
    .unwrap();
    let all = &loaded.config.backend;
    assert_eq!(
        (all.len(), &*all[1].api_key, &*all[1].url),
        (2, "k", "http://b/v1")
    );
    assert_eq!(all[0].models, ["z", "w"]);

    let loaded = load(
        text,
        &[("SUNDYNIX_BACKENDS", "http://c/v1, simulator")],
        &[],
    )
    .unwrap();
    let all = &loaded.config.backend;
    assert_eq!(
        (all.len(), &*all[0].url, all[1].dialect),
        (2, "http://c/v1", Some(DialectName::Simulator))
    );
    assert!(all[0].models.is_empty());
    assert_eq!(
        loaded.origin("backend[0].url").to_string(),
        "SUNDYNIX_BACKENDS"
    );
}

#[test]
fn a_weight_that_makes_no_sense_is_refused_by_name_and_place() {
    for (text, key) in [
        ("weight = -0.5", "memory.embeddings.weight"),
        ("weight_cjk = nan", "memory.embeddings.weight_cjk"),
        ("dimensions = 20000", "memory.embeddings.dimensions"),
        ("batch = 0", "memory.embeddings.batch"),
        ("query_timeout_ms = 0", "memory.embeddings.query_timeout_ms"),
        ("weights = 1", "memory.embeddings.weights"),
    ] {
        let text = format!("[memory.embeddings]\n{text}\n");
        refused(&text, &[], &[], &["FILE:2", key]);
    }
    let env = ("SUNDYNIX_MEMORY__EMBEDDINGS__WEIGHT", "0.5");
    let loaded = load("[memory.embeddings]\nweight_cjk = 1\n", &[env], &[]).unwrap();
    let set = &loaded.config.memory.embeddings;
    assert_eq!((set.weight, set.weight_cjk), (0.5, 1.0));
    let bad = ("SUNDYNIX_MEMORY__EMBEDDINGS__WEIGHT", "much");
    refused("", &[bad], &[], &["EMBEDDINGS__WEIGHT", "must be a number"]);
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let key = file("sk-secret\n");
    let path = key.path().to_str().unwrap();
    let env = [
        ("SUNDYNIX_BACKENDS", "http://a/v1"),
        ("SUNDYNIX_BACKEND__0__API_KEY_FILE", path),
        ("DATABASE_URL", "postgres://ada:hunter2@db/x"),
    ];
    let loaded = load("", &env, &[]).unwrap();
    assert_eq!(loaded.config.backend[0].api_key, "sk-secret");
    assert_eq!(loaded.config.store.url, "postgres://ada:hunter2@db/x");
    let shown = loaded.to_string();
    assert!(
        !shown.contains("sk-secret") && !shown.contains("hunter2"),
        "{shown}"
    );
    assert!(shown.contains("# DATABASE_URL"), "{shown}");
    // What is shown is a settings file.
    let again = load(&shown, &[], &[]).unwrap();
    assert_eq!(again.config.backend[0].url, "http://a/v1");
    refused(
        "",
        &[("SUNDYNIX_STORE__URL_FILE", "/nowhere/at/all")],
        &[],
        &["SUNDYNIX_STORE__URL_FILE", "cannot read"],
    );
    refused(
        "[[backend]]\napi_key = 12345\n",
        &[],
        &[],
        &["FILE:2", "backend[0].api_key", "quotes"],
    );
    assert!(
        !load("[[backend]]\napi_key = 12345\n", &[], &[])
            .err()
            .unwrap()
            .contains("12345")
    );
    assert!(
        !load("api_key = sk-abc\n", &[], &[])
            .err()
            .unwrap()
            .contains("sk-abc")
    );
}

#[test]
fn unknown_names_are_refused_with_their_place_and_what_was_meant() {
    refused(
        "\n[server]\nbnid = 1\n[wether]\nrain = 1\n",
        &[],
        &[],
        &[
            "2 settings",
            "FILE:3: server.bnid",
            "server.bind?",
            "FILE:5: wether.rain",
        ],
    );
    refused(
        "[backend]\nurl = \"x\"\n",
        &[],
        &[],
        &["FILE:2", "[[backend]]"],
    );
    refused(
        "",
        &[("SUNDYNIX_SERVER_BIND", "x")],
        &[],
        &[
            "SUNDYNIX_SERVER_BIND",
            "did you mean SUNDYNIX_SERVER__BIND?",
        ],
    );
    refused("", &[("SUNDYNIX_PORT", "8484")], &[], &["SUNDYNIX_PORT"]);
    refused(
        "",
        &[],
        &["store.grop=1"],
        &["--set", "store.grop", "store.group?"],
    );
    refused("", &[], &["store"], &["--set", "section.key=value"]);
}

#[test]
fn wrong_values_are_refused_with_their_place() {
    refused(
        "[server]\nbind = \"here\"\n",
        &[],
        &[],
        &["FILE:2", "server.bind"],
    );
    refused(
        "[store]\nsync = \"often\"\n",
        &[],
        &[],
        &["FILE:2", "store.sync", "normal"],
    );
    refused("server = 1\n", &[], &[], &["FILE:1", "server", "section"]);
    refused("[store\n", &[], &[], &["FILE:1"]);
    refused(
        "",
        &[("SUNDYNIX_STORE__GROUP", "many")],
        &[],
        &["SUNDYNIX_STORE__GROUP", "whole number"],
    );
    refused(
        "",
        &[("SUNDYNIX_STORE__GROUP", "0")],
        &[],
        &["SUNDYNIX_STORE__GROUP", "at least 1"],
    );
    refused(
        "",
        &[("SUNDYNIX_STORE__GROUP", "-1")],
        &[],
        &["SUNDYNIX_STORE__GROUP"],
    );
    refused(
        "",
        &[("SUNDYNIX_STORE", "x")],
        &[],
        &["SUNDYNIX_STORE", "section"],
    );
    refused(
        "",
        &[("DATABASE_URL", "mysql://x")],
        &[],
        &["DATABASE_URL", "store.url", "postgres://"],
    );
    refused(
        "",
        &[],
        &["server.bind=0.0.0.0:8484"],
        &["--set", "loopback"],
    );
    refused("", &[], &["telemetry.log=a=b=c"], &["telemetry.log"]);
    refused(
        "",
        &[],
        &["backend.3.url=http://x"],
        &["number them from 0"],
    );
}

#[test]
fn what_others_put_into_the_environment_does_no_harm() {
    let env = [
        ("SUNDYNIX_SERVICE_HOST", "10.0.0.7"),
        ("SUNDYNIX_SERVICE_PORT_HTTP", "80"),
        ("SUNDYNIX_PORT", "tcp://10.0.0.7:80"),
        ("SUNDYNIX_PORT_80_TCP_ADDR", "10.0.0.7"),
        ("SUNDYNIX_STORE__GROUP", ""),
        ("DATABASE_URL", ""),
    ];
    assert_eq!(load("", &env, &[]).unwrap().config.store.group, 64);
}

#[test]
fn a_named_file_must_be_there_and_the_usual_one_need_not() {
    let flags = Flags {
        config: Some(PathBuf::from("/nowhere/sundynix.toml")),
        ..Flags::default()
    };
    let refused = Loaded::of(&flags, []).err().unwrap().to_string();
    assert!(refused.contains("--config") && refused.contains("/nowhere/sundynix.toml"));
    assert!(Loaded::of(&Flags::default(), []).is_ok());
}

#[test]
fn a_remote_memory_is_set_in_short_or_in_full_and_its_key_is_not_shown() {
    let key = [("SUNDYNIX_MEMORY__MCP__API_KEY", "s3cret")];
    let loaded = load("memory.mcp = \"http://127.0.0.1:1/mcp\"", &key, &[]).unwrap();
    assert_eq!(loaded.config.memory.mcp.url, "http://127.0.0.1:1/mcp");
    let shown = loaded.to_string();
    assert!(
        shown.contains("url = \"http://127.0.0.1:1/mcp\""),
        "{shown}"
    );
    assert!(!shown.contains("s3cret"), "{shown}");
    let set = load("", &[], &["memory.mcp=http://127.0.0.1:1/mcp"]).unwrap();
    assert_eq!(set.config.memory.mcp.url, "http://127.0.0.1:1/mcp");
    let full = "[memory.mcp]\nurl = \"https://memory.example/mcp\"\nuser = \"header\"";
    assert!(load(full, &[], &[]).is_ok());
    let odd = "memory.mcp = \"memory.example\"";
    refused(
        odd,
        &[],
        &[],
        &["FILE", "memory.mcp.url: must be the http://"],
    );
}
