//! The HTTP server over connections of our own: what actix-web's `HttpServer` puts together, but
//! for the connection, which it does not let one choose.

use super::connection::Connection;
use actix_http::{HttpService, Request, Response};
use actix_server::{Server, ServerBuilder};
use actix_service::{
    IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config,
};
use actix_web::{Error, body::MessageBody, dev::AppConfig, rt::net::TcpStream};
use std::{fmt, io, net::TcpListener, time::Duration};

/// Connections may idle so long; SDKs keep theirs for a minute or so.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// The head of a request may take so long to arrive. A client may be as slow as this machine is
/// busy: the usual 5 s answer 408 to some.
const REQUEST_HEAD: Duration = Duration::from_secs(30);

/// Closing a connection may take so long.
const CLOSING: Duration = Duration::from_secs(1);

/// Serves what `app` makes, once a worker. A client may take nothing for `patience`.
pub fn listen<A, I, S, B>(
    builder: ServerBuilder,
    listener: TcpListener,
    patience: Duration,
    app: A,
) -> io::Result<Server>
where
    A: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig, Response: Into<Response<B>>> + 'static,
    S::Service: 'static,
    S::Error: Into<Error>,
    S::InitError: fmt::Debug,
    B: MessageBody + 'static,
{
    let stopping = builder.graceful_shutdown_signal();
    let service = move || {
        let stopping = stopping.clone();
        let http = HttpService::build()
            // Idle connections are closed when a drain ends.
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(REQUEST_HEAD)
            .client_disconnect_timeout(CLOSING)
            // Else a client that hangs up is not noticed for half a minute.
            .h1_allow_half_closed(false)
            .on_connect_ext(|connection: &Connection, data| {
                data.insert(connection.backlog());
            });
        let app = app().into_factory();
        let app = app.map_err(|error| error.into().error_response());
        fn_service(move |socket: TcpStream| async move {
            // Else the second request on a connection waits 40 ms for a delayed ACK.
            socket.set_nodelay(true).ok();
            let client = socket.peer_addr().ok();
            Ok((Connection::new(socket, patience), client))
        })
        .and_then(http.h1(map_config(app, |()| AppConfig::default())))
    };
    Ok(builder.listen("http", listener, service)?.run())
}
