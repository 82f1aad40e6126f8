//! The server: workers, each with its replica of the graph; and its end. SIGTERM (or a node that
//! nobody serves any more) turns readiness to 503, waits for the balancer, refuses new turns,
//! waits for the permits of those that run, stops the workers, and closes the store last, for
//! dropped bodies still write to it. A second signal ends at once.

use super::{
    backends, chat, fault::only, guard, health, listen::listen, mcp, memory, models, openapi, tasks,
};
use crate::{
    actors::memory::MemoryPort,
    embedding, extraction,
    graph::{Graph, start_memory},
    state::State,
};
use actix_server::{Server, ServerHandle};
use actix_web::{App, HttpRequest, middleware::from_fn, web};
use std::{
    cell::RefCell,
    io,
    net::{SocketAddr, TcpListener},
    process::ExitCode,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};

/// How often the roster is looked at for a node without replicas, and the table of tasks for some
/// whose time is over.
const WATCH: Duration = Duration::from_millis(250);

/// How often a drain looks whether turns still run.
const LOOK: Duration = Duration::from_millis(10);

/// What the connections may still take once no turn runs any more.
const LAST_BYTES: u64 = 5;

thread_local! {
    /// This worker's graph: the factory runs once per worker *per socket*.
    static GRAPH: RefCell<Option<Rc<Graph>>> = const { RefCell::new(None) };
}

/// The graph of the worker that serves this request.
pub fn graph(req: &HttpRequest) -> Rc<Graph> {
    match req.app_data::<Rc<Graph>>() {
        Some(graph) => graph.clone(),
        None => unreachable!("every App is made with its worker's graph"),
    }
}

/// Binds, or says which setting would change it.
pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(addr).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => io::Error::new(
            error.kind(),
            format!("{addr} is in use: choose another with --bind 127.0.0.1:PORT (server.bind)"),
        ),
        kind => io::Error::new(
            kind,
            format!("cannot listen on {addr} (server.bind): {error}"),
        ),
    })
}

/// Serves until it is told to end; `ready` is told where it listens.
pub fn run(
    state: Arc<State>,
    listener: TcpListener,
    ready: impl FnOnce(SocketAddr),
) -> io::Result<ExitCode> {
    actix_web::rt::System::new().block_on(serve(state, listener, ready))
}

async fn serve(
    state: Arc<State>,
    listener: TcpListener,
    ready: impl FnOnce(SocketAddr),
) -> io::Result<ExitCode> {
    let signals = [
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    ];
    let addr = listener.local_addr()?;
    let port = start_memory(&state);
    if let Some(remote) = &state.remote {
        remote.start_delivery(port.clone());
    }
    let workers = match state.config.server.workers {
        0 => std::thread::available_parallelism().map_or(2, Into::into),
        n => n,
    };
    let memory = port.clone();
    let extraction = actix_web::rt::spawn(extraction::run(state.clone(), port.clone()));
    let embedding = actix_web::rt::spawn(embedding::run(state.clone(), port.clone()));
    let (shared, next) = (state.clone(), Arc::new(AtomicUsize::new(0)));
    let patience = Duration::from_secs(state.config.limits.stalled_client_s);
    let app = move || {
        let graph = worker_graph(&shared, &port, &next);
        App::new()
            .app_data(graph)
            .wrap(from_fn(guard::guard))
            .configure(routes)
            .default_service(web::to(super::fault::unknown_route))
    };
    let builder = Server::build()
        .workers(workers)
        .disable_signals()
        .shutdown_timeout(LAST_BYTES);
    let server = listen(builder, listener, patience, app)?;
    let refresh = actix_web::rt::spawn(crate::pool::watch(state.pool.clone()));
    let ending = actix_web::rt::spawn(end(state.clone(), server.handle(), signals));
    ready(addr);
    server.await?;
    refresh.abort();
    extraction.abort();
    embedding.abort();
    let _ = extraction.await;
    extraction::leave(&state, &memory).await;
    let code = ending.await.unwrap_or(ExitCode::FAILURE);
    // Off the runtime: closing waits for the committer.
    let _ = web::block(move || state.store.close()).await;
    Ok(code)
}

fn worker_graph(state: &Arc<State>, memory: &MemoryPort, next: &AtomicUsize) -> Rc<Graph> {
    GRAPH.with_borrow_mut(|own| {
        let same = |g: &&mut Rc<Graph>| Arc::ptr_eq(&g.state, state);
        if let Some(graph) = own.as_mut().filter(same) {
            return graph.clone();
        }
        let worker = next.fetch_add(1, SeqCst);
        let graph = Rc::new(Graph::start(state, memory.clone(), worker));
        *own = Some(graph.clone());
        graph
    })
}

/// Every route, and nothing else.
pub(super) fn routes(app: &mut web::ServiceConfig) {
    let chat = web::resource("/chat/completions").post(chat::completions);
    let list = web::resource("/models").get(models::list);
    let model = web::resource("/models/{name:.+}").get(models::one);
    app.service(
        web::scope("/v1")
            .service(only("POST", chat))
            .service(only("GET, HEAD", list))
            .service(only("GET, HEAD", model)),
    )
    .service(
        web::scope("/api/v1")
            .configure(tasks::routes)
            .configure(memory::routes)
            .configure(backends::routes)
            .configure(health::api_routes),
    )
    .configure(mcp::routes)
    .configure(health::routes)
    .configure(openapi::routes);
}

/// Waits for a reason to end, then drains. The exit code says whether it was asked for.
async fn end(state: Arc<State>, server: ServerHandle, mut signals: [Signal; 2]) -> ExitCode {
    let code = tokio::select! {
        () = any(&mut signals) => ExitCode::SUCCESS,
        () = state.stop.notified() => ExitCode::SUCCESS,
        node = nobody_left(&state) => {
            tracing::error!(node, "no replica is left: draining");
            ExitCode::FAILURE
        }
    };
    tokio::select! {
        () = drain(&state, &server) => {}
        () = any(&mut signals) => {
            tracing::warn!("second signal: ending at once");
            server.stop(false).await;
        }
    }
    code
}

async fn any(signals: &mut [Signal; 2]) {
    let [term, int] = signals;
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

async fn nobody_left(state: &State) -> &'static str {
    let mut watch = tokio::time::interval(WATCH);
    loop {
        watch.tick().await;
        state.tasks.sweep(&state.config.limits);
        if let Some(node) = state.roster.dead().first() {
            return node;
        }
    }
}

async fn drain(state: &State, server: &ServerHandle) {
    let config = &state.config.server;
    state.draining.store(true, SeqCst);
    tracing::info!(running = state.inflight(), "draining");
    tokio::time::sleep(Duration::from_millis(config.drain_wait_ms)).await;
    state.closed.store(true, SeqCst);
    let limit = Duration::from_secs(config.shutdown_timeout_s);
    // Not by acquiring them all: whoever waits for that holds those that are free, and ops would
    // read a full house while it empties.
    let empty = async {
        while state.inflight() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    };
    if timeout(limit, empty).await.is_err() {
        tracing::warn!(
            running = state.inflight(),
            "some turns did not end in time: cutting them"
        );
    }
    server.stop(true).await;
    tracing::info!("drained");
}
