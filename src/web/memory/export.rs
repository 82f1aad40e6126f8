//! `GET /api/v1/memory/export`: all that is kept of a user, a line each (NDJSON). It is read page by
//! page as it is sent, so that it takes as little memory for a long life as for a short one. The last
//! line counts the others: whoever misses it has not got all.

use super::{audit, history, known, shown::Detailed, turns};
use crate::{
    error::Error,
    graph::Graph,
    memory::UserKey,
    state::State,
    store::pages::{HistoryWanted, TurnsWanted},
    web::{fault::Fault, identity, moment::shown, openapi::Known, query::Query, server::graph},
};
use actix_web::{HttpRequest, HttpResponse, http::header};
use bytes::Bytes;
use futures_util::{Stream, stream};
use serde::Serialize;
use serde_json::{Value, json};
use std::{convert::Infallible, sync::Arc};

/// Rows read at once: of turns these may be a few megabytes.
const PAGE: u64 = 50;

/// `GET /api/v1/memory/export`
#[utoipa::path(
    get, path = "/api/v1/memory/export", tag = "memory", operation_id = "export_memory",
    summary = "All that is kept of the user",
    description = "NDJSON. Each line has a `kind`: `settings`, `profile`, `history`, `turn`, `quarantine`, `ledger`, \
        and as the last line `end`, which counts the others. A line of the kind `error` ends it early.",
    params(Known),
    responses((status = 200, description = "A line each", content_type = "application/x-ndjson", body = String)),
)]
pub async fn export(req: HttpRequest) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    begin(&req, &graph).await.map_err(Fault::native)
}

async fn begin(req: &HttpRequest, graph: &Graph) -> Result<HttpResponse, Error> {
    Query::read(req, &[])?;
    let user = identity::some_user(req)?;
    audit::note(graph, req, &user, "export").await?;
    let export = Export {
        state: graph.state.clone(),
        user: UserKey::local(&user),
        part: Part::Settings,
        lines: 0,
    };
    // What fails at once is answered as an error.
    let (first, export) = export.next().await?;
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(lines(first, export)))
}

/// Where an export is.
struct Export {
    state: Arc<State>,
    user: UserKey,
    part: Part,
    lines: u64,
}

/// What comes next; of lists, after which row.
enum Part {
    Settings,
    Profile,
    History(Option<i64>),
    Turns(Option<(i64, String)>),
    Quarantine(i64),
    Ledger,
    End,
}

fn lines(first: Bytes, export: Option<Export>) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((Some(first), export), |(first, export)| async move {
        if let Some(first) = first {
            return Some((Ok(first), (None, export)));
        }
        let (bytes, export) = match export?.next().await {
            Ok(next) => next,
            // A broken connection would take with it what is still to be flushed.
            Err(error) => {
                let code = error.code();
                let line = json!({"kind": "error", "code": code, "detail": error.to_string()});
                (Bytes::from(format!("{line}\n")), None)
            }
        };
        Some((Ok(bytes), (None, export)))
    })
}

impl Export {
    /// The next lines, and what is left.
    async fn next(mut self) -> Result<(Bytes, Option<Export>), Error> {
        let (state, user) = (&self.state, &self.user);
        let down = |_| Error::StoreDown;
        let mut out = Vec::new();
        let mut count = 0;
        let mut put = |kind: &str, row: Value| {
            let mut line = json!({"kind": kind});
            if let (Value::Object(line), Value::Object(row)) = (&mut line, row) {
                line.extend(row);
            }
            out.extend(line.to_string().into_bytes());
            out.push(b'\n');
            count += 1;
        };
        let part = match self.part {
            Part::Settings => {
                let wishes = super::settings::wishes(state, user).await?;
                put("settings", value(&wishes));
                Part::Profile
            }
            Part::Profile => {
                let resident = known(state, user).await?;
                put(
                    "profile",
                    value(&Detailed::of(&user.user, &resident.profile)),
                );
                Part::History(None)
            }
            Part::History(after) => {
                let wanted = HistoryWanted {
                    after,
                    limit: PAGE,
                    ..HistoryWanted::default()
                };
                let rows = state.store.history(user, wanted).await.map_err(down)?;
                let last = rows.last().map(|row| row.seq);
                for row in rows {
                    put("history", value(&history::Past::from(row)));
                }
                last.map_or(Part::Turns(None), |last| Part::History(Some(last)))
            }
            Part::Turns(after) => {
                let wanted = TurnsWanted {
                    after,
                    limit: PAGE,
                    ..TurnsWanted::default()
                };
                let rows = state.store.turns(user, wanted).await.map_err(down)?;
                let last = rows.last().map(|turn| (turn.at_ms, turn.id.to_string()));
                for turn in &rows {
                    put("turn", value(&turns::Turn::from(turn)));
                }
                last.map_or(Part::Quarantine(0), |last| Part::Turns(Some(last)))
            }
            Part::Quarantine(after) => {
                let rows = state.store.quarantined(user, after, PAGE).await;
                let rows = rows.map_err(down)?;
                let last = rows.last().map(|row| row.seq);
                for row in rows {
                    put(
                        "quarantine",
                        json!({"topic": row.topic, "key": row.key, "value": row.value,
                            "rule": row.rule, "turn": row.turn_id, "quote": row.quote,
                            "valid_from": shown(row.valid_from)}),
                    );
                }
                last.map_or(Part::Ledger, Part::Quarantine)
            }
            Part::Ledger => {
                for day in state.store.ledger(user, 0).await.map_err(down)? {
                    put("ledger", value(&day));
                }
                Part::End
            }
            Part::End => {
                let line = json!({"kind": "end", "lines": self.lines});
                return Ok((Bytes::from(format!("{line}\n")), None));
            }
        };
        self.lines += count;
        self.part = part;
        Ok((out.into(), Some(self)))
    }
}

fn value(row: &impl Serialize) -> Value {
    serde_json::to_value(row).unwrap_or_default()
}
