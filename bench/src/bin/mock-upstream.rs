//! A fast stand-in for an OpenAI-compatible LLM server, on one thread: `mock-upstream PORT`. It
//! answers in vLLM's chunk shapes, each token in a write of its own, as an engine does. The model's
//! name says how long and how fast (see [`Shape`]).

use bench::{Shape, answer, push_token};
use bytes::{Buf, Bytes, BytesMut};
use serde::Deserialize;
use std::{borrow::Cow, cell::Cell, io, process::ExitCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    time::{Instant, sleep_until},
};

/// What `/v1/models` lists: the shapes that the workloads use.
const MODELS: [&str; 5] = [
    "mock-t2-p1",
    "mock-t16-p0",
    "mock-t100-p0",
    "mock-t100-p20",
    "mock-t1000000-p1000",
];

#[derive(Deserialize)]
struct Ask<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    stream_options: StreamOptions,
}

#[derive(Default, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
}

struct Request {
    get: bool,
    path: String,
    body: Bytes,
}

fn main() -> ExitCode {
    let port = std::env::args().nth(1).and_then(|p| p.parse().ok());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let (Some(port), Ok(runtime)) = (port, runtime) else {
        eprintln!("usage: mock-upstream PORT");
        return ExitCode::FAILURE;
    };
    let served = tokio::task::LocalSet::new().block_on(&runtime, serve(port));
    if let Err(error) = served {
        eprintln!("port {port}: {error}");
    }
    ExitCode::FAILURE
}

async fn serve(port: u16) -> io::Result<()> {
    let listener = listen(port)?;
    loop {
        let (socket, _) = listener.accept().await?;
        // A peer that hangs up in mid-answer is no fault of ours.
        tokio::task::spawn_local(async move { connection(socket).await.ok() });
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], port).into())?;
    socket.listen(4096)
}

async fn connection(mut socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut input = BytesMut::with_capacity(4096);
    while let Some(request) = read(&mut socket, &mut input).await? {
        match (request.get, request.path.as_str()) {
            (true, "/health") => whole(&mut socket, 200, "{}").await?,
            (true, "/v1/models") => whole(&mut socket, 200, &models()).await?,
            (false, "/v1/chat/completions") => match serde_json::from_slice::<Ask>(&request.body) {
                Ok(ask) => chat(&mut socket, &ask).await?,
                Err(e) => whole(&mut socket, 400, &error(&e.to_string())).await?,
            },
            _ => whole(&mut socket, 404, &error("not found")).await?,
        }
    }
    Ok(())
}

/// The next request of a connection; `None` once the peer has closed it.
async fn read(socket: &mut TcpStream, input: &mut BytesMut) -> io::Result<Option<Request>> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Request::new(&mut headers);
        let parsed = head.parse(input).map_err(io::Error::other)?;
        if let httparse::Status::Complete(start) = parsed {
            let length = |h: &&httparse::Header| h.name.eq_ignore_ascii_case("content-length");
            let length = head.headers.iter().find(length);
            let length = length.and_then(|h| std::str::from_utf8(h.value).ok()?.parse().ok());
            let length = length.unwrap_or(0);
            let get = head.method == Some("GET");
            let path = head.path.unwrap_or_default().to_owned();
            input.advance(start);
            while input.len() < length {
                if socket.read_buf(input).await? == 0 {
                    return Ok(None);
                }
            }
            let body = input.split_to(length).freeze();
            return Ok(Some(Request { get, path, body }));
        }
        input.reserve(4096);
        if socket.read_buf(input).await? == 0 {
            return Ok(None);
        }
    }
}

async fn whole(socket: &mut TcpStream, status: u16, body: &str) -> io::Result<()> {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    socket.write_all(answer.as_bytes()).await
}

fn models() -> String {
    let model =
        |m| format!(r#"{{"id":"{m}","object":"model","created":1700000000,"owned_by":"mock"}}"#);
    let models = MODELS.map(model).join(",");
    format!(r#"{{"object":"list","data":[{models}]}}"#)
}

fn error(message: &str) -> String {
    serde_json::json!({"error": {"message": message, "type": "invalid_request_error"}}).to_string()
}

thread_local! {
    static SERIAL: Cell<u64> = const { Cell::new(0) };
}

async fn chat(socket: &mut TcpStream, ask: &Ask<'_>) -> io::Result<()> {
    let Some(shape) = Shape::of(&ask.model) else {
        return whole(socket, 404, &error("no such model")).await;
    };
    let words = |m: &Message| m.content.split_whitespace().count();
    let prompt: usize = ask.messages.iter().map(words).sum();
    let id = SERIAL.replace(SERIAL.get() + 1);
    let (model, n) = (&ask.model, shape.tokens);
    let usage = format!(
        r#"{{"prompt_tokens":{prompt},"total_tokens":{},"completion_tokens":{n}}}"#,
        prompt + n
    );
    if ask.stream {
        let usage = ask.stream_options.include_usage.then_some(usage);
        return stream(socket, shape, &format!("chatcmpl-{id:032x}"), model, usage).await;
    }
    let text = answer(n);
    let body = format!(
        r#"{{"id":"chatcmpl-{id:032x}","object":"chat.completion","created":1700000000,"model":"{model}","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null,"annotations":null,"audio":null,"function_call":null,"tool_calls":[],"reasoning":null}},"logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":null}}],"service_tier":null,"system_fingerprint":null,"usage":{usage},"prompt_logprobs":null,"kv_transfer_params":null}}"#
    );
    whole(socket, 200, &body).await
}

/// The role, the tokens one write each, and with the last of them the finish, the usage and `[DONE]`.
async fn stream(
    socket: &mut TcpStream,
    shape: Shape,
    id: &str,
    model: &str,
    usage: Option<String>,
) -> io::Result<()> {
    let head = format!(
        r#"data: {{"id":"{id}","object":"chat.completion.chunk","created":1700000000,"model":"{model}","choices":"#
    );
    let delta = |delta: &str, finish: &str| {
        format!(
            r#"{head}[{{"index":0,"delta":{{{delta}}},"logprobs":null,"finish_reason":{finish},"token_ids":null}}]}}"#
        ) + "\n\n"
    };
    let chunk = |data: &str| format!("{:x}\r\n{data}\r\n", data.len());
    let mut write = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    write += &chunk(&delta(r#""role":"assistant","content":"""#, "null"));
    let start = Instant::now();
    let mut content = String::new();
    for i in 0..shape.tokens {
        if i > 0 && !shape.pause.is_zero() {
            let nth = u32::try_from(i).unwrap_or(u32::MAX);
            sleep_until(start + shape.pause * nth).await;
        } else if i > 0 {
            // Other connections' turn: no engine gives all tokens of one answer first.
            tokio::task::yield_now().await;
        }
        content.clear();
        content.push_str(r#""content":""#);
        push_token(&mut content, i);
        content.push('"');
        let mut data = delta(&content, "null");
        if i + 1 == shape.tokens {
            data += &delta(r#""content":"""#, r#""stop""#);
            if let Some(usage) = &usage {
                data += &format!("{head}[],\"usage\":{usage}}}\n\n");
            }
            data += "data: [DONE]\n\n";
        }
        write += &chunk(&data);
        if i + 1 == shape.tokens {
            write += "0\r\n\r\n";
        }
        socket.write_all(write.as_bytes()).await?;
        write.clear();
    }
    Ok(())
}
