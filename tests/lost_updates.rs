//! Twenty who read, change and write back one user's profile with `If-Match`: no update is lost,
//! whoever was overtaken is told so, and no version is given twice.

use crate::support::{
    http::{Client, send},
    postgres::database,
    process::Process,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const WRITERS: usize = 20;
const EACH: usize = 5;

/// Adds one to the count, `EACH` times; the versions it was given, and how often it was overtaken.
async fn count(client: Client) -> (Vec<u64>, usize) {
    let url = client.url("/api/v1/memory");
    let (mut versions, mut stale) = (Vec::new(), 0);
    while versions.len() < EACH {
        let read = send(client.http.get(&url).header("x-user-id", "ada"))
            .await
            .unwrap();
        let tag = read.headers()["etag"].clone();
        let profile: Value = read.json().await.unwrap();
        let now = profile["preferences"]["general"]["count"].as_str();
        let next = now.map_or(0, |n| n.parse::<u64>().unwrap()) + 1;
        let request = client.http.put(&url).header("x-user-id", "ada");
        let request = request.header("if-match", tag);
        let put = request.json(&json!({"preferences": {"count": next}}));
        let put = send(put).await.unwrap();
        match put.status().as_u16() {
            200 => versions.push(
                put.json::<Value>().await.unwrap()["version"]
                    .as_u64()
                    .unwrap(),
            ),
            412 => stale += 1,
            odd => panic!("{odd}: {}", put.text().await.unwrap()),
        }
    }
    (versions, stale)
}

async fn nothing_is_lost(servers: &[Client]) {
    let writers = (0..WRITERS).map(|n| tokio::spawn(count(servers[n % servers.len()].clone())));
    let mut given = BTreeSet::new();
    let mut stale = 0;
    for writer in join_all(writers).await {
        let (versions, overtaken) = writer.unwrap();
        stale += overtaken;
        for version in versions {
            assert!(given.insert(version), "version {version} was given twice");
        }
    }
    assert!(stale > 0, "nobody was overtaken: this showed nothing");
    for server in servers {
        let profile = server.profile("ada").await;
        let want = (WRITERS * EACH).to_string();
        assert_eq!(profile["preferences"]["general"]["count"], want, "0 lost");
    }
}

async fn server(url: &str) -> (Process, Client) {
    let slow = ("SUNDYNIX_STORE__ACK_TIMEOUT_MS", "30000");
    let mut env = vec![slow];
    if !url.is_empty() {
        env.push(("DATABASE_URL", url));
    }
    let process = Process::start(&[], &env).await;
    let client = Client::new(process.addr);
    (process, client)
}

#[tokio::test]
async fn in_two_processes_on_postgres() {
    let url = database();
    let (_a, one) = server(&url).await;
    let (_b, two) = server(&url).await;
    nothing_is_lost(&[one, two]).await;
}

#[tokio::test]
async fn in_one_process_on_sqlite() {
    let (_process, client) = server("").await;
    nothing_is_lost(&[client]).await;
}

#[tokio::test]
async fn only_the_first_writes_what_nobody_has_written() {
    let (_process, client) = server("").await;
    let first = |n: usize| {
        let put = client.http.put(client.url("/api/v1/memory"));
        let put = put.header("x-user-id", "ada").header("if-none-match", "*");
        send(put.json(&json!({"preferences": {"first": n}})))
    };
    let mut told: Vec<_> = join_all((0..WRITERS).map(first)).await;
    told.sort_by_key(|told| told.as_ref().unwrap().status());
    let told = told
        .iter()
        .map(|told| told.as_ref().unwrap().status().as_u16());
    let want = std::iter::once(200).chain([412; WRITERS - 1]);
    assert!(told.eq(want));
}
