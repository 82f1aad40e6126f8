//! Clients that do not read. A stream is read from its backend only as fast as its client takes it:
//! what is held for one that does not is a few KiB in the socket, 32 KiB in the HTTP server and one
//! read of the backend's. When a client has taken nothing for a while its connection is dropped,
//! and with it the stream, the upstream and the lease. The kernel sees to that: nobody else knows
//! how much of what was sent has arrived.

use std::{any::Any, time::Duration};

/// So much may lie unsent in a socket; more waits where it can be seen and counted.
const UNSENT: u32 = 16 << 10;

/// Prepares a connection that has just been accepted.
pub fn watch(socket: &dyn Any, patience: Duration) {
    #[cfg(target_os = "linux")]
    if let Some(socket) = socket.downcast_ref::<actix_web::rt::net::TcpStream>() {
        let socket = socket2::SockRef::from(socket);
        // A kernel without them serves all the same.
        let _ = socket.set_tcp_user_timeout(Some(patience));
        let _ = socket.set_tcp_notsent_lowat(UNSENT);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (socket, patience, UNSENT);
}
