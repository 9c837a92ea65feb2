//! Accepts connections: bounded in number, tuned, and through the TLS handshake before anyone else waits for them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{Stream, StreamExt};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::{Connected, TcpIncoming};

use super::tls::{Tls, subject_alternative_names};
use crate::settings::Server;

/// A client that does not finish its handshake in this time is dropped.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// DNS and URI names of its certificate, which was verified; none without one.
    pub names: Arc<[String]>,
}

/// A bound socket.
pub struct Listener {
    incoming: TcpIncoming,
    connections: Arc<Semaphore>,
    tls: Option<Arc<Tls>>,
}

/// An accepted connection. Holds its place among the connections at once.
pub struct Connection {
    stream: Transport,
    peer: Peer,
    _place: OwnedSemaphorePermit,
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Listener {
    /// Binds the address. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// The operating system's.
    pub fn bind(settings: &Server, tls: Option<Arc<Tls>>) -> io::Result<Self> {
        let idle = Duration::from_secs(settings.keepalive_s);
        let interval = Duration::from_secs(settings.keepalive_timeout_s);
        let incoming = TcpIncoming::bind(settings.listen)?
            .with_nodelay(Some(true))
            .with_keepalive(Some(idle))
            .with_keepalive_interval(Some(interval))
            .with_keepalive_retries(Some(3));
        Ok(Self { incoming, connections: Arc::new(Semaphore::new(settings.max_connections)), tls })
    }

    /// The address that was bound.
    ///
    /// # Errors
    /// The operating system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.incoming.local_addr()
    }

    /// Accepts until the stream is dropped, which closes the socket.
    pub fn connections(self) -> impl Stream<Item = io::Result<Connection>> + Send + 'static {
        let (ready, connections) = mpsc::channel(64);
        tokio::spawn(self.accept(ready));
        tokio_stream::wrappers::ReceiverStream::new(connections)
    }

    async fn accept(mut self, ready: mpsc::Sender<io::Result<Connection>>) {
        loop {
            let stream = tokio::select! {
                next = self.incoming.next() => next,
                () = ready.closed() => return,
            };
            match stream {
                Some(Ok(stream)) => self.admit(stream, &ready),
                // Out of file descriptors, most likely: accepting again at once would spin.
                Some(Err(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
                None => return,
            }
        }
    }

    /// Beyond the limit a connection is closed rather than kept waiting.
    fn admit(&self, stream: TcpStream, ready: &mpsc::Sender<io::Result<Connection>>) {
        let Ok(address) = stream.peer_addr() else { return };
        let Ok(place) = Arc::clone(&self.connections).try_acquire_owned() else {
            tracing::debug!("connection refused: as many as server.max_connections are open");
            return;
        };
        let (tls, ready) = (self.tls.clone(), ready.clone());
        tokio::spawn(async move {
            let Some((stream, names)) = establish(stream, tls).await else {
                return;
            };
            let connection = Connection { stream, peer: Peer { address, names }, _place: place };
            // Fails when the server stopped accepting in between.
            let _ = ready.send(Ok(connection)).await;
        });
    }
}

async fn establish(stream: TcpStream, tls: Option<Arc<Tls>>) -> Option<(Transport, Arc<[String]>)> {
    let Some(tls) = tls else {
        return Some((Transport::Plain(stream), Arc::new([])));
    };
    match tokio::time::timeout(HANDSHAKE, TlsAcceptor::from(tls.current()).accept(stream)).await {
        Ok(Ok(stream)) => {
            let leaf = stream.get_ref().1.peer_certificates().and_then(<[CertificateDer<'_>]>::first);
            let names = leaf.map_or_else(|| Arc::new([]) as Arc<[String]>, subject_alternative_names);
            Some((Transport::Tls(Box::new(stream)), names))
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "tls handshake failed");
            None
        }
        Err(_) => None,
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
