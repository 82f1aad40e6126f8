//! An address that stays while the server behind it dies and comes back at another port.

use super::http::NET;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

/// Clones lead to the same place.
#[derive(Clone)]
pub struct Door {
    /// Where it is.
    pub addr: SocketAddr,
    to: Arc<Mutex<SocketAddr>>,
}

impl Door {
    /// One before the server at `to`.
    pub async fn before(to: SocketAddr) -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (addr, to) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(to)));
        let (listener, door) = (listener.into_std().unwrap(), Door { addr, to });
        let own = door.clone();
        NET.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((mut client, _)) = listener.accept().await {
                let to = *own.to.lock().unwrap();
                tokio::spawn(async move {
                    // Nobody there: the client is hung up on.
                    let mut server = TcpStream::connect(to).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        door
    }

    /// From now on it leads there.
    pub fn leads_to(&self, to: SocketAddr) {
        *self.to.lock().unwrap() = to;
    }

    /// `http://…`
    pub fn base(&self) -> String {
        format!("http://{}", self.addr)
    }
}
