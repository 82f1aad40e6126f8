//! What a catalog makes of backends, listings and aliases.

use super::*;
use crate::config::{BackendConfig, PoolConfig, SimulatorConfig};
use crate::pool::layers::Said;

fn backend(id: usize, models: &[&str]) -> Arc<Backend> {
    let config = BackendConfig {
        url: format!("http://h{id}:11434"),
        models: models.iter().map(|m| m.to_string()).collect(),
        ..BackendConfig::default()
    };
    let (pool, simulator) = (PoolConfig::default(), SimulatorConfig::default());
    Arc::new(Backend::new(id, &Said::of(config), &pool, &simulator).unwrap())
}

fn ids(catalog: &Catalog, model: &str) -> Vec<Vec<BackendId>> {
    let ids = |tier: &Vec<Leg>| tier.iter().map(|leg| leg.backend.id).collect();
    catalog
        .entry(model)
        .unwrap()
        .tiers
        .iter()
        .map(ids)
        .collect()
}

fn listing(models: &[(&str, usize)]) -> Listing {
    let listed = |(name, context): &(&str, usize)| Listed {
        name: name.to_string(),
        context: Some(*context),
    };
    Some(models.iter().map(listed).collect())
}

#[test]
fn globs() {
    for (glob, name, yes) in [
        ("*", "", true),
        ("qwen*", "qwen3:8b", true),
        ("*-instruct", "llama-8b-instruct", true),
        ("a*b*c", "a1b2c", true),
        ("a*b*c", "a1c2b", false),
        ("ab*ba", "aba", false),
        ("qwen", "qwen3", false),
    ] {
        assert_eq!(matches_glob(glob, name), yes, "{glob} {name}");
    }
}

#[test]
fn names_are_known_without_asking_and_globs_filter() {
    let (a, b) = (backend(0, &["llama", "qwen*"]), backend(1, &[]));
    let none = Catalog::of([(&a, &None), (&b, &None)].into_iter(), &Rules::default());
    assert_eq!(none.names(), ["llama"]);
    let (of_a, of_b) = (
        listing(&[("llama:latest", 4096), ("qwen3", 8192), ("phi", 1)]),
        listing(&[("qwen3", 2048), ("gemma:latest", 1)]),
    );
    let all = Catalog::of([(&a, &of_a), (&b, &of_b)].into_iter(), &Rules::default());
    assert_eq!(all.names(), ["gemma:latest", "llama", "qwen3"]);
    assert_eq!(ids(&all, "qwen3"), [[0, 1]]);
    assert_eq!(all.entry("qwen3").unwrap().context, Some(2048));
    assert_eq!(all.entry("llama").unwrap().context, Some(4096));
    assert_eq!(&*all.resolve(Some("gemma")).unwrap(), "gemma:latest");
    let rules = Rules {
        default_model: "qwen3".into(),
        ..Rules::default()
    };
    let all = Catalog::of([(&a, &of_a), (&b, &of_b)].into_iter(), &rules);
    assert_eq!(&*all.resolve(None).unwrap(), "qwen3");
}

#[test]
fn errors_name_what_can_be_had_and_echo_little() {
    let a = backend(0, &["one", "two"]);
    let catalog = Catalog::of([(&a, &None)].into_iter(), &Rules::default());
    let asked = format!("\u{1b}[31m{}", "x".repeat(500));
    match catalog.resolve(Some(&asked)) {
        Err(Error::UnknownModel { model, known }) => {
            assert_eq!(model.chars().count(), 64);
            assert!(!model.contains('\u{1b}'));
            assert_eq!(known, ["one", "two"]);
        }
        other => panic!("{other:?}"),
    }
    let nothing_named = catalog.resolve(None);
    assert!(matches!(nothing_named, Err(Error::NoModel { .. })));
    let nothing_known = Catalog::default().resolve(None);
    assert!(matches!(nothing_known, Err(Error::NoBackend(_))));
}

#[test]
fn aliases_join_and_chain_models() {
    let (a, b, c) = (
        backend(0, &["llama"]),
        backend(1, &["llama:8b", "small"]),
        backend(2, &["big"]),
    );
    let named = |all: &[&str]| all.iter().map(|m| m.to_string()).collect::<Vec<_>>();
    let rules = Rules {
        aliases: vec![
            AliasConfig {
                name: "llama".into(),
                any: named(&["llama", "llama:8b", "absent"]),
                policy: Some(Policy::Weighted),
                ..AliasConfig::default()
            },
            AliasConfig {
                name: "smart".into(),
                chain: named(&["big", "absent", "llama", "small"]),
                ..AliasConfig::default()
            },
        ],
        ..Rules::default()
    };
    let all = [&a, &b, &c].map(|backend| (backend, &None));
    let catalog = Catalog::of(all.into_iter(), &rules);
    assert_eq!(ids(&catalog, "llama"), [[0, 1]]);
    assert_eq!(catalog.entry("llama").unwrap().policy, Policy::Weighted);
    assert_eq!(
        ids(&catalog, "smart"),
        [vec![2], vec![], vec![0, 1], vec![1]]
    );
    assert_eq!(
        &*catalog.legs_at(1, "llama").next().unwrap().name,
        "llama:8b"
    );
    assert_eq!(
        catalog.names(),
        ["big", "llama", "llama:8b", "small", "smart"]
    );
    let plain = Catalog::of([(&c, &None)].into_iter(), &rules);
    assert_eq!(
        &*plain.resolve(None).unwrap(),
        "big",
        "aliases are no models"
    );
    assert_eq!(&*plain.resolve(Some("smart")).unwrap(), "smart");
}
