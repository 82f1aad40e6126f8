//! `POST /api/v1/memory/turns`: what was said elsewhere, an item a line, or the lines of an export.
//! Every line is checked before the first is taken over; what is there already is left as it is,
//! so that an import that broke off is simply sent again.

use super::{
    Slots, audit,
    exported::{self, Exported},
    learning, private, settings, write, written,
};
use crate::{
    error::Error,
    graph::Graph,
    memory::{KeptTurn, MemoryMode, TurnStatus, UserKey, kept, masked},
    store::{
        Ask, Command, HeldBack, Import, Upsert,
        extraction::{self, Write},
    },
    web::{
        body, exchange::now_ms, fault::Fault, identity, json::parse_line, moment::moment,
        openapi::Known, query::Query, server::graph,
    },
};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::HashSet, sync::Arc};

/// Items in one transaction.
const GROUP: usize = 500;
/// The longest id, session and role, in bytes.
const NAME_BYTES: usize = 256;
/// What messages carry that nobody said: instructions and data of programs. It is no memory.
const NOT_SAID: [&str; 4] = ["system", "developer", "tool", "function"];

/// One line.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// It is kept once under this id.
    #[schema(min_length = 1, max_length = 256)]
    id: String,
    /// When it was said: ISO 8601, or a Unix time.
    #[schema(value_type = String)]
    ts: Value,
    /// The conversation.
    #[serde(default)]
    session: Option<String>,
    /// `user`, `assistant`, or a speaker's name. What nobody said (`system`, `tool` and the like) is
    /// refused.
    #[serde(default)]
    role: Option<String>,
    /// What was said.
    text: String,
}

/// What became of an import.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Imported {
    /// Items that are new here.
    imported: usize,
    /// Items that were here already, and are as they were.
    known: usize,
    /// Values of an export that are new in the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    values: Option<u64>,
    /// What new items taught and is held back, for it looks like an instruction to the model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    quarantined: Vec<HeldBack>,
}

/// `POST /api/v1/memory/turns`
#[utoipa::path(
    post, path = "/api/v1/memory/turns", tag = "memory", operation_id = "import_turns",
    summary = "Take over what was said elsewhere",
    description = "An item a line, or all that `GET /api/v1/memory/export` answered: then profile and history come along, each value with its age (a later one stands), and a wish not to be remembered; a consent does not. Nothing is taken over unless every line is right; an id that is known already is left as it is.",
    params(Known, ("extract" = Option<bool>, Query, description = "The user's own items also become profile")),
    request_body(content = Item, content_type = "application/x-ndjson"),
    responses((status = 200, description = "What became of them", body = Imported)),
)]
pub async fn import(req: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Fault> {
    answer(req, payload).await.map_err(Fault::native)
}

async fn answer(req: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Error> {
    let graph = graph(&req);
    let extract = Query::read(&req, &["extract"])?.flag("extract")?;
    let name = identity::some_user(&req)?;
    let user = UserKey::local(&name);
    let limit = graph.state.config.limits.body_bytes;
    let (began_ms, body) = (now_ms(), body::read(&req, payload, limit).await?);
    // Thousands of lines are no work for a web worker.
    let reading = web::block(move || lines(&body, began_ms)).await;
    let Exported { items, rest, wish } = reading.unwrap_or(Err(Error::Crashed("import")))?;
    if !rest.slots.is_empty() && graph.state.remote.is_some() {
        let detail = "the profile is kept by another server (memory.mcp): import it there";
        return Err(Error::invalid("profile", detail));
    }
    audit::note(&graph, &req, &name, "import").await?;
    let (all, mut imported) = (items.len(), 0);
    for group in items.chunks(GROUP) {
        let import = Import {
            user: user.clone(),
            items: Arc::new(group.to_vec()),
            began_ms,
            extract,
        };
        let asking = graph
            .memory
            .ask(|reply| Command::Import(import.clone(), reply));
        imported += written(&graph.state, asking).await?;
    }
    let mut quarantined = match extract && imported > 0 && graph.state.remote.is_none() {
        true => held_back(&graph, &user, &items).await?,
        false => Vec::new(),
    };
    let mut values = None;
    if rest.began_ms > 0 {
        let restored = learning(&graph, &name, Write::Restore(rest)).await?;
        values = Some(restored.count);
        quarantined.extend(restored.quarantined);
    }
    // The last, for nothing is taken over after it. A yes was given elsewhere.
    if let Some(no) = wish.filter(|wish| *wish < MemoryMode::On)
        && !settings::wishes(&graph.state, &user).await?.explicit
    {
        private(&graph.memory, Ask::Mode(user, no)).await?;
    }
    Ok(HttpResponse::Ok().json(Imported {
        imported,
        known: all - imported,
        values,
        quarantined,
    }))
}

/// What the items taught and is in quarantine now. Screening is part of settling, so that comes
/// first; an upsert of nothing settles.
async fn held_back(
    graph: &Graph,
    user: &UserKey,
    items: &[Arc<KeptTurn>],
) -> Result<Vec<HeldBack>, Error> {
    let nothing = Upsert {
        user: user.clone(),
        slots: Slots::new(),
        on_version: None,
        said: None,
    };
    write(&graph.state, &graph.memory, nothing).await?;
    let of = user.clone();
    let reading = graph
        .state
        .store
        .reading(move |db| async move { extraction::quarantine(&db, &of).await });
    let held = reading.await.map_err(|_| Error::StoreDown)?.into_iter();
    let ids: HashSet<&str> = items.iter().map(|item| &*item.id).collect();
    let theirs = held.filter(|held| held.turn.as_deref().is_some_and(|id| ids.contains(id)));
    let held_back = theirs.map(|held| HeldBack {
        id: held.id,
        topic: held.topic,
        key: held.key,
        rule: held.rule,
    });
    Ok(held_back.collect())
}

/// Every line, or which one is wrong and why.
fn lines(body: &[u8], now_ms: i64) -> Result<Exported, Error> {
    let text = std::str::from_utf8(body).map_err(|e| {
        let before = &body[..e.valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Error::invalid(format!("line {line}"), "is not UTF-8")
    })?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let mut lines = lines.filter(|(_, line)| !line.trim().is_empty()).peekable();
    if lines
        .peek()
        .is_some_and(|(_, first)| exported::is_export(first))
    {
        return exported::read(lines, now_ms);
    }
    let items = lines.map(|(at, line)| item(at, line, now_ms));
    Ok(Exported {
        items: items.collect::<Result<_, _>>()?,
        ..Exported::default()
    })
}

/// Whether that can be an id, or another name.
pub fn checked(line: usize, field: &str, name: &str) -> Result<(), Error> {
    let empty = name.is_empty() && ["id", "topic", "key"].contains(&field);
    if empty || name.len() > NAME_BYTES || name.contains(char::is_control) {
        let detail = format!("has up to {NAME_BYTES} bytes and no control characters");
        return Err(Error::invalid(format!("line {line}: {field}"), detail));
    }
    Ok(())
}

fn item(line: usize, text: &str, now_ms: i64) -> Result<Arc<KeptTurn>, Error> {
    let wrong = |field: &str, detail: &str| Error::invalid(format!("line {line}: {field}"), detail);
    let item: Item = parse_line(line, text)?;
    let (session, role) = (
        item.session.unwrap_or_default(),
        item.role.unwrap_or_default(),
    );
    for (field, name) in [("id", &item.id), ("session", &session), ("role", &role)] {
        checked(line, field, name)?;
    }
    let plain = role.to_ascii_lowercase();
    if NOT_SAID.contains(&&*plain) {
        let detail = "takes user, assistant or a speaker's name; leave lines of other roles out";
        return Err(wrong("role", detail));
    }
    let at_ms = moment(|| format!("line {line}: ts"), &item.ts)?;
    let text: Arc<str> = masked(&kept(&item.text.replace('\0', "\u{FFFD}"))).into();
    let (role, query, answer): (&str, Arc<str>, Arc<str>) = match &*plain {
        "assistant" => ("", "".into(), text),
        "user" | "" => ("", text, "".into()),
        _ => (&role, text, "".into()),
    };
    Ok(Arc::new(KeptTurn {
        conversation: match session.is_empty() {
            true => item.id.as_str().into(),
            false => session.into(),
        },
        id: item.id.into(),
        at_ms: at_ms.min(now_ms),
        query,
        answer,
        role: role.into(),
        status: TurnStatus::Complete,
    }))
}
