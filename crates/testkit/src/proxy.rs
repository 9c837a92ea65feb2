//! A TCP proxy that fails on demand.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the proxy does to the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Passes them on.
    None,
    /// Passes on what the server answers after a pause.
    Delay(Duration),
    /// Takes them and passes nothing on, in either direction; connections stay open. What was swallowed is lost, so
    /// that a connection from that time never becomes well.
    Blackhole,
    /// Closes every connection, and new ones at once.
    Cut,
    /// Closes each connection when the server has answered so many bytes more.
    CutAfter(usize),
}

/// A proxy on a free port of 127.0.0.1. Dropping it ends it and its connections.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    accepting: JoinHandle<()>,
}

impl ChaosProxy {
    /// Starts a proxy to `server` that passes everything on.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (fault, watched) = watch::channel(Fault::None);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let watched = watched.clone();
                tokio::spawn(async move { serve(client, server, watched).await });
            }
        });
        Ok(Self { address, fault, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does this to the bytes from now on.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.fault.send_replace(Fault::Cut);
    }
}

/// Runs one connection until either side or a fault ends it; errors end it, too.
async fn serve(client: TcpStream, server: SocketAddr, mut fault: watch::Receiver<Fault>) {
    if *fault.borrow() == Fault::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
        return;
    }
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    tokio::select! {
        _ = requests(client_read, server_write, fault.clone()) => {}
        _ = answers(server_read, client_write, fault.clone()) => {}
        _ = fault.wait_for(|fault| *fault == Fault::Cut) => {}
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    fault: watch::Receiver<Fault>,
) -> io::Result<()> {
    let mut buffer = vec![0; 65_536];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let now = *fault.borrow();
        if now != Fault::Blackhole {
            to.write_all(&buffer[..read]).await?;
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    fault: watch::Receiver<Fault>,
) -> io::Result<()> {
    let mut buffer = vec![0; 65_536];
    let mut answered = 0;
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let now = *fault.borrow();
        match now {
            Fault::None => to.write_all(&buffer[..read]).await?,
            Fault::Delay(pause) => {
                tokio::time::sleep(pause).await;
                to.write_all(&buffer[..read]).await?;
            }
            Fault::Blackhole => {}
            Fault::Cut => return Ok(()),
            Fault::CutAfter(most) => {
                let rest = read.min(most - answered);
                to.write_all(&buffer[..rest]).await?;
                answered += rest;
                if answered == most {
                    return Ok(());
                }
            }
        }
    }
}
