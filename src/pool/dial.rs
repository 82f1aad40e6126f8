//! How connections are opened: without Nagle's delay, with heads that awc can read (`heads.rs`), and
//! told apart from those that the client had in stock, for only one in stock can have gone stale.

use super::{
    address::{Forbidden, is_forbidden},
    heads::Heads,
};
use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Connector, ConnectorService};
use awc::http::Uri;
use futures_util::future::LocalBoxFuture;
use std::{
    cell::Cell,
    future::Future,
    io,
    net::SocketAddr,
    rc::Rc,
    task::{Context, Poll},
};

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
pub(super) struct Dial {
    connector: ConnectorService,
    names: Names,
}

/// Finds the addresses of a host.
type Names = Rc<dyn Fn(String, u16) -> LocalBoxFuture<'static, io::Result<Vec<SocketAddr>>>>;

impl Default for Dial {
    fn default() -> Self {
        Dial::by(Rc::new(|host, port| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((host, port)).await?;
                Ok(found.collect())
            })
        }))
    }
}

impl Dial {
    /// With these names for backends that are guarded.
    fn by(names: Names) -> Self {
        Dial {
            connector: Connector::default().service(),
            names,
        }
    }
}

impl Service<ConnectInfo<Uri>> for Dial {
    type Response = Connection<Uri, Heads>;
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
        let Dial { connector, names } = self.clone();
        Box::pin(async move {
            let to = match guarded {
                Ok(true) => checked(to, &names).await?,
                _ => to,
            };
            let connection = connector.call(to).await?;
            // A socket that is gone again fails where it is used.
            let _ = connection.io_ref().set_nodelay(true);
            let (io, to) = connection.into_parts();
            Ok(Connection::new(to, Heads::new(io)))
        })
    }
}

/// Resolves the name here, so that the addresses that are looked at are those that are used.
async fn checked(to: ConnectInfo<Uri>, names: &Names) -> Result<ConnectInfo<Uri>, ConnectError> {
    let host = to.hostname().trim_start_matches('[').trim_end_matches(']');
    let found = names(host.to_owned(), to.port()).await;
    let found = found.map_err(|e| ConnectError::Resolver(e.into()))?;
    if found.iter().any(|address| is_forbidden(address.ip())) {
        return Err(ConnectError::Io(io::Error::other(Forbidden)));
    }
    Ok(to.set_addrs(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use tokio::net::TcpListener;

    /// Dials `gpu.example`, whose name leads there just now.
    async fn dial(guarded: bool, to: &[&str], port: u16) -> Result<SocketAddr, ConnectError> {
        let found: Vec<SocketAddr> = to
            .iter()
            .map(|ip| SocketAddr::new(ip.parse().unwrap(), port))
            .collect();
        let dial = Dial::by(Rc::new(move |host, _| {
            assert_eq!(host, "gpu.example");
            let found = found.clone();
            Box::pin(async move { Ok(found) })
        }));
        let uri: Uri = format!("http://gpu.example:{port}/v1").parse().unwrap();
        let (opened, _) = over(guarded, async { dial.call(ConnectInfo::new(uri)).await }).await;
        Ok(opened?.io_ref().peer_addr())
    }

    #[actix_web::test]
    async fn a_name_that_leads_to_a_metadata_address_is_not_dialled() {
        let here = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = here.local_addr().unwrap().port();
        let fine = dial(true, &["127.0.0.1"], port).await.unwrap();
        assert_eq!(fine.port(), port);
        // The same name a moment later; one such address among others is enough.
        for to in [
            &["169.254.169.254"][..],
            &["169.254.0.1"],
            &["fe80::1"],
            &["fd00:ec2::254"],
            &["::ffff:169.254.169.254"],
            &["64:ff9b::a9fe:a9fe"],
            &["100.100.100.200"],
            &["127.0.0.1", "169.254.169.254"],
        ] {
            match dial(true, to, port).await {
                Err(ConnectError::Io(error)) => {
                    assert!(
                        error.get_ref().unwrap().is::<Forbidden>(),
                        "{to:?}: {error}"
                    );
                }
                other => panic!("{to:?}: {other:?}"),
            }
        }
    }

    /// What is looked at is what is dialled: the name is asked for once a connection.
    #[actix_web::test]
    async fn a_name_is_looked_up_once() {
        let here = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = here.local_addr().unwrap();
        let answers = RefCell::new(vec![Ok(vec![address])]);
        let dial = Dial::by(Rc::new(move |_, _| {
            let next = answers.borrow_mut().pop().expect("it was asked for twice");
            Box::pin(async move { next })
        }));
        let uri: Uri = "http://gpu.example/v1".parse().unwrap();
        let (opened, _) = over(true, async { dial.call(ConnectInfo::new(uri)).await }).await;
        assert_eq!(opened.unwrap().io_ref().peer_addr(), address);
    }
}
