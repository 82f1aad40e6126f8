//! `sundynix check`: the effective settings and where each came from, and whether what they name
//! can be reached. It changes nothing, and its output is a settings file.

use super::{Outcome, add_backend, placed, some};
use actix_web::rt::System;
use std::process::ExitCode;
use sundynix::{
    config::Loaded,
    pool::{Client, Pool},
    prompt::Prompts,
    state::StartError,
    store,
};

/// One thing looked at: what, and how it is, good or bad.
type Finding = (String, Result<String, String>);

/// Prints settings and findings; fails where one is bad.
pub fn check(loaded: &Loaded) -> Outcome {
    println!("{}\n# What was found:", loaded.to_string().trim_start());
    let mut findings = vec![templates(loaded), database(loaded)];
    findings.extend(backends(loaded));
    let mut bad = false;
    for (what, how) in findings {
        bad |= how.is_err();
        let (mark, how) = match how {
            Ok(how) => ("ok", how),
            Err(how) => ("FAILED", how),
        };
        println!("#   {mark:<8}{what}: {how}");
    }
    Ok(match bad {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

fn templates(loaded: &Loaded) -> Finding {
    let compiled = Prompts::new(&loaded.config.prompt);
    ("templates".into(), compiled.map(|_| "they compile".into()))
}

fn database(loaded: &Loaded) -> Finding {
    let reached = store::probe(&loaded.config);
    ("store".into(), reached.map_err(|e| e.to_string()))
}

fn backends(loaded: &Loaded) -> Vec<Finding> {
    System::new().block_on(async {
        let mut config = loaded.config.clone();
        add_backend(&mut config).await;
        let pool = match Pool::new(&config) {
            Ok(pool) => pool,
            Err(bad) => {
                let why = placed(StartError::Backend(bad), loaded);
                return vec![("backends".into(), Err(why.to_string()))];
            }
        };
        pool.refresh(&Client::new()).await;
        let finding = |one: sundynix::pool::BackendStatus| {
            let how = match one.last_error {
                Some(why) => Err(why),
                None => Ok(some(&one.models, 5)),
            };
            (format!("backend {}", one.name), how)
        };
        pool.status().into_iter().map(finding).collect()
    })
}
