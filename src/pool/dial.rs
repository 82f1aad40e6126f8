//! How connections are opened: without Nagle's delay, and told apart from those that the client
//! had in stock, for only one in stock can have gone stale.

use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Connector, ConnectorService};
use awc::http::Uri;
use futures_util::future::LocalBoxFuture;
use std::{
    cell::Cell,
    future::Future,
    task::{Context, Poll},
};
use tokio::net::TcpStream;

tokio::task_local! {
    /// Whether the exchange that is being polled has opened a connection of its own.
    static DIALLED: Cell<bool>;
}

/// Runs one exchange; the flag says whether it went over a connection from stock.
pub(super) async fn over<F: Future>(exchange: F) -> (F::Output, bool) {
    let told = async {
        let output = exchange.await;
        (output, !DIALLED.with(Cell::get))
    };
    DIALLED.scope(Cell::new(false), told).await
}

/// Opens connections for awc.
#[derive(Clone)]
pub(super) struct Dial(ConnectorService);

impl Default for Dial {
    fn default() -> Self {
        Dial(Connector::default().service())
    }
}

impl Service<ConnectInfo<Uri>> for Dial {
    type Response = Connection<Uri, TcpStream>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, to: ConnectInfo<Uri>) -> Self::Future {
        // Outside of `over` nobody asks.
        let _ = DIALLED.try_with(|dialled| dialled.set(true));
        let dialling = self.0.call(to);
        Box::pin(async move {
            let connection = dialling.await?;
            // A socket that is gone again fails where it is used.
            let _ = connection.io_ref().set_nodelay(true);
            Ok(connection)
        })
    }
}
