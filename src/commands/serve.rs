//! `sundynix serve`: everything up to the first request, and the few lines that say what is where.

use super::{Outcome, add_backend, placed, reload, some};
use actix_web::rt::System;
use std::{
    fmt::Write as _,
    io::{Write as _, stderr},
    net::SocketAddr,
};
use sundynix::{
    config::{Loaded, LogFormat},
    memory::{prepare_screening, rank},
    pool::{BackendStatus, Client},
    state::State,
    telemetry,
    web::server,
};

/// Backends that the banner lists; it stays under ten lines.
const LISTED: usize = 4;

/// Starts the server and returns when it has ended.
pub fn serve(loaded: Loaded) -> Outcome {
    telemetry::start(&loaded.config.telemetry);
    // First what fails most often: the port.
    let listener = server::bind(loaded.config.server.bind)?;
    let seen = reload::fingerprint(loaded.flags.file());
    let mut config = loaded.config.clone();
    System::new().block_on(add_backend(&mut config));
    let state = State::assemble(config).map_err(|e| placed(e, &loaded))?;
    // The first value that is learnt should not wait for the rules it is screened by.
    drop(std::thread::spawn(|| {
        rank::prepare();
        prepare_screening();
    }));
    // The first request should find models, and the banner too.
    System::new().block_on(async {
        let client = Client::new();
        state.pool.refresh(&client).await;
    });
    // A first recall has no time to make the table itself: here it is ready, or waited for.
    rank::prepare();
    let ready = {
        let state = state.clone();
        move |addr| {
            announce(&state, addr);
            actix_web::rt::spawn(reload::follow(state.pool.clone(), loaded, seen));
        }
    };
    Ok(server::run(state, listener, ready)?)
}

fn announce(state: &State, addr: SocketAddr) {
    let backends = state.pool.status();
    match state.config.telemetry.format {
        LogFormat::Json => {
            let data = state.config.server.data.display();
            tracing::info!(%addr, %data, backends = backends.len(), "listening");
        }
        // Where stderr is closed nobody reads it.
        LogFormat::Text => drop(stderr().write_all(banner(state, addr, &backends).as_bytes())),
    }
}

fn banner(state: &State, addr: SocketAddr, backends: &[BackendStatus]) -> String {
    let mut out = format!(
        "sundynix {} is listening on http://{addr}\n  data     {}\n",
        env!("CARGO_PKG_VERSION"),
        place(state),
    );
    for one in backends.iter().take(LISTED) {
        let _ = writeln!(out, "  backend  {}: {}", one.name, found(one));
    }
    if let Some(more) = backends.len().checked_sub(LISTED).filter(|n| *n > 0) {
        let _ = writeln!(out, "  backend  … and {more} more: GET /api/v1/backends");
    }
    let model = match (state.pool.resolve(None), state.pool.models().first()) {
        (Err(_), Some(first)) => format!(", \"model\": \"{}\"", first.id),
        _ => String::new(),
    };
    let _ = writeln!(
        out,
        "  try      curl -N -H 'Accept: text/event-stream' -H 'Content-Type: application/json' \\\n\
        \x20            -H 'X-User-ID: ada' -d '{{\"query\": \"My name is Ada.\"{model}}}' http://{addr}/api/v1/tasks"
    );
    out
}

/// Where memory is kept.
fn place(state: &State) -> String {
    let data = std::path::absolute(&state.config.server.data);
    let data = data.unwrap_or_else(|_| state.config.server.data.clone());
    match state.config.store.url.is_empty() {
        true => format!("{}", data.display()),
        false => format!("PostgreSQL (store.url); spool in {}", data.display()),
    }
}

/// What the backend said when it was asked.
fn found(backend: &BackendStatus) -> String {
    match (&backend.models[..], &backend.last_error) {
        ([], Some(why)) => format!("{why}; it is asked again every second"),
        ([], None) => "it has no models yet".into(),
        (models, _) => some(models, 5),
    }
}
