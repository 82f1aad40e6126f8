//! How connections are opened: without Nagle's delay, and told apart from those that the client
//! had in stock, for only one in stock can have gone stale.

use super::address::{Forbidden, is_forbidden};
use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Connector, ConnectorService};
use awc::http::Uri;
use futures_util::future::LocalBoxFuture;
use std::{
    cell::Cell,
    future::Future,
    io,
    task::{Context, Poll},
};
use tokio::net::TcpStream;

tokio::task_local! {
    /// Of the exchange that is being polled.
    static EXCHANGE: Exchange;
}

struct Exchange {
    /// It has opened a connection of its own.
    dialled: Cell<bool>,
    /// Its backend may not have an address of a metadata service.
    guarded: bool,
}

/// Runs one exchange; the flag says whether it went over a connection from stock.
pub(super) async fn over<F: Future>(guarded: bool, exchange: F) -> (F::Output, bool) {
    let told = async {
        let output = exchange.await;
        (output, !EXCHANGE.with(|e| e.dialled.get()))
    };
    let exchange = Exchange {
        dialled: Cell::new(false),
        guarded,
    };
    EXCHANGE.scope(exchange, told).await
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
        let guarded = EXCHANGE.try_with(|exchange| {
            exchange.dialled.set(true);
            exchange.guarded
        });
        let connector = self.0.clone();
        Box::pin(async move {
            let to = match guarded {
                Ok(true) => checked(to).await?,
                _ => to,
            };
            let connection = connector.call(to).await?;
            // A socket that is gone again fails where it is used.
            let _ = connection.io_ref().set_nodelay(true);
            Ok(connection)
        })
    }
}

/// Resolves the name here, so that the addresses that are looked at are those that are used.
async fn checked(to: ConnectInfo<Uri>) -> Result<ConnectInfo<Uri>, ConnectError> {
    let host = to.hostname().trim_start_matches('[').trim_end_matches(']');
    let found = tokio::net::lookup_host((host, to.port())).await;
    let found: Vec<_> = found
        .map_err(|e| ConnectError::Resolver(e.into()))?
        .collect();
    if found.iter().any(|address| is_forbidden(address.ip())) {
        return Err(ConnectError::Io(io::Error::other(Forbidden)));
    }
    Ok(to.set_addrs(found))
}
