//! How well recall's ranking finds the evidence for a question, without a model or a judge, and
//! what it costs.
//!
//!     cargo run --release --manifest-path bench/Cargo.toml --bin recall -- DATASET.json ...
//!     cargo run --release --manifest-path bench/Cargo.toml --bin recall
//!
//! A dataset is `{"dataset", "users": [{"user", "items": [{"id", "ts", "session", "role", "text"}],
//! "queries": [{"query", "evidence": [item id], "ts", "context"?: [{"role", "content"}]}]}]}`, its
//! times like `2026-05-08T13:56:00`. Without one, the cost over generated memories is printed.

#[allow(dead_code)]
#[path = "../../../src/memory/rank/mod.rs"]
mod rank;

use rank::{Doc, Index, Query};
use serde::Deserialize;
use std::{collections::HashSet, error::Error, fs, hint::black_box, time::Duration};
use time::{PrimitiveDateTime, macros::format_description};

#[derive(Deserialize)]
struct Dataset {
    dataset: String,
    users: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    items: Vec<Item>,
    queries: Vec<Question>,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    ts: String,
    session: String,
    role: String,
    text: String,
}

#[derive(Deserialize)]
struct Question {
    query: String,
    evidence: Vec<String>,
    ts: String,
    #[serde(default)]
    context: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: String,
}

/// Sums over the questions, each part from 0 to 1.
#[derive(Default)]
struct Sums {
    questions: f64,
    /// Share of the evidence among the first 5, 10 and 20.
    recall: [f64; 3],
    /// All of it among the first 10.
    all: f64,
    /// Share of it within 1,000 tokens.
    in_tokens: f64,
    /// One over the rank of the first.
    reciprocal: f64,
}

const CUTS: [usize; 3] = [5, 10, 20];
const DEPTH: usize = 60;
const TOKENS: usize = 1_000;
/// What stands around a memory in a prompt, in tokens.
const AROUND: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let mut files = std::env::args().skip(1).peekable();
    if files.peek().is_none() {
        return cost();
    }
    println!("| dataset | questions | R@5 | R@10 | R@20 | All@10 | R@1000t | MRR |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for file in files {
        let dataset: Dataset = serde_json::from_slice(&fs::read(file)?)?;
        let mut sums = Sums::default();
        for user in &dataset.users {
            let mut index = Index::new();
            for item in &user.items {
                index.push(doc(item)?);
            }
            for question in &user.queries {
                ask(&index, question, &mut sums)?;
            }
        }
        let percent = |sum: f64| 100.0 * sum / sums.questions.max(1.0);
        let [r5, r10, r20] = sums.recall.map(percent);
        println!(
            "| {} | {} | {r5:.1} | {r10:.1} | {r20:.1} | {:.1} | {:.1} | {:.1} |",
            dataset.dataset,
            sums.questions,
            percent(sums.all),
            percent(sums.in_tokens),
            percent(sums.reciprocal),
        );
    }
    Ok(())
}

fn doc(item: &Item) -> Result<Doc, Box<dyn Error>> {
    Ok(Doc {
        id: item.id.as_str().into(),
        session: item.session.as_str().into(),
        at_ms: unix_ms(&item.ts)?,
        role: item.role.as_str().into(),
        text: item.text.as_str().into(),
    })
}

fn unix_ms(ts: &str) -> Result<i64, Box<dyn Error>> {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let time = PrimitiveDateTime::parse(ts, &format)?;
    Ok(time.assume_utc().unix_timestamp() * 1000)
}

fn ask(index: &Index, question: &Question, sums: &mut Sums) -> Result<(), Box<dyn Error>> {
    let docs = (0..index.numbers()).filter_map(|number| index.doc(number));
    let ids: HashSet<&str> = docs.map(|doc| &*doc.id).collect();
    let evidence = question.evidence.iter().map(String::as_str);
    let evidence: HashSet<&str> = evidence.filter(|id| ids.contains(id)).collect();
    if evidence.is_empty() {
        return Ok(());
    }
    let context = question.context.iter();
    let context: Vec<_> = context
        .map(|m| (m.role.as_str(), m.content.as_str()))
        .collect();
    let query = Query {
        text: &question.query,
        context: &context,
        now_ms: unix_ms(&question.ts)?,
        ..Query::default()
    };
    let (mut found, mut seen, mut used) = (Vec::new(), HashSet::new(), 0);
    for hit in index.search(&query, DEPTH) {
        let Some(doc) = index.doc(hit.doc) else {
            continue;
        };
        used += tokens(&doc.text) + AROUND;
        if seen.insert(&*doc.id) {
            found.push((evidence.contains(&*doc.id), used));
        }
    }
    let n = evidence.len() as f64;
    let first = |k: usize| found.iter().take(k).filter(|(is, _)| *is).count() as f64 / n;
    sums.questions += 1.0;
    for (sum, k) in sums.recall.iter_mut().zip(CUTS) {
        *sum += first(k);
    }
    sums.all += f64::from(first(10) >= 1.0);
    let cheap = found.iter().filter(|(is, used)| *is && *used <= TOKENS);
    sums.in_tokens += cheap.count() as f64 / n;
    let rank = found.iter().position(|(is, _)| *is);
    sums.reciprocal += rank.map_or(0.0, |rank| 1.0 / (rank + 1) as f64);
    Ok(())
}

/// One a Chinese, Japanese or Korean character, one for four others.
fn tokens(text: &str) -> usize {
    let wide = |c: &char| {
        matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{3040}'..='\u{30FF}'
            | '\u{AC00}'..='\u{D7AF}')
    };
    let (all, wide) = (text.chars().count(), text.chars().filter(wide).count());
    wide + (all - wide).div_ceil(4)
}

const ENGLISH: &str = "I went camping with my neighbor last weekend and the puppy loved it so we \
    plan another trip to the lake in June after my interview at the museum where they paint and \
    restore old pianos for the town library which my sister runs since she moved from Boston";
const CHINESE: &str = "上个周末我和同事去了郊外的湖边露营小狗玩得特别开心我们打算六月再去一次不过要等我在\
    博物馆的面试结束那里修复旧钢琴我姐姐从北京搬来以后一直管着镇上的图书馆晚上常常一起吃饭聊天听音乐";

/// Generated memories, half English, half Chinese, of some thirty words each.
fn memories(n: usize) -> Vec<Doc> {
    let words: Vec<&str> = ENGLISH.split_whitespace().collect();
    let characters: Vec<char> = CHINESE.chars().collect();
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut text = |number: usize| -> String {
        if number % 2 == 1 {
            return (0..20)
                .flat_map(|_| {
                    let at = random(characters.len() - 3);
                    characters[at..at + 2].to_vec()
                })
                .collect();
        }
        let said = (0..24).map(|_| match random(5) {
            0 => format!("name{}", random(5_000)),
            _ => words[random(words.len())].to_owned(),
        });
        said.collect::<Vec<_>>().join(" ")
    };
    let doc = |number: usize| Doc {
        id: number.to_string().into(),
        session: (number / 20).to_string().into(),
        at_ms: number as i64 * 60_000,
        role: if number % 4 < 2 { "user" } else { "assistant" }.into(),
        text: text(number).into(),
    };
    (0..n).map(doc).collect()
}

fn cost() -> Result<(), Box<dyn Error>> {
    let context = [
        ("user", "最近工作压力很大，晚上睡不好"),
        ("assistant", "可以试试运动或者听音乐放松一下"),
        ("user", "I took the puppy to the lake"),
        ("assistant", "How was the weather there?"),
    ];
    let queries = [
        (
            "English",
            "When did I go camping with my neighbor?",
            &context[..0],
        ),
        ("Chinese", "我上周和同事去了哪家餐厅吃饭？", &context[..0]),
        (
            "Chinese, in a chat",
            "我上周和同事去了哪家餐厅吃饭？",
            &context[..],
        ),
    ];
    println!("| memories | what | CPU |");
    println!("|--:|---|--:|");
    for n in [1_000, 10_000] {
        let mut index = Index::new();
        let mut builds = Vec::new();
        for _ in 0..9 {
            let docs = memories(n);
            let start = cpu()?;
            index = Index::new();
            docs.into_iter().for_each(|doc| index.push(doc));
            builds.push(cpu()? - start);
        }
        builds.sort();
        println!("| {n} | build | {:.2?} |", builds[builds.len() / 2]);
        println!("| {n} | bytes | {} |", index.bytes());
        for (name, text, context) in queries {
            let query = Query {
                text,
                context,
                now_ms: n as i64 * 60_000,
                ..Query::default()
            };
            let start = cpu()?;
            for _ in 0..200 {
                black_box(index.search(black_box(&query), 20));
            }
            println!("| {n} | search, {name} | {:.3?} |", (cpu()? - start) / 200);
        }
    }
    Ok(())
}

/// What this thread has had of the processor: other programs do not count.
fn cpu() -> Result<Duration, Box<dyn Error>> {
    std::thread::yield_now();
    let stat = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = stat.split(' ').next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanos))
}
