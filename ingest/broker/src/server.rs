//! The listener, its connections, and the broker's start and stop.
//!
//! ```text
//! start: loopback? ─▶ lock ─▶ key ─▶ listen ─▶ database ─▶ task
//! task:  accept ─▶ connection: one request after the other ─▶ routes      every second: ping the database
//! stop:  no more accepts ─▶ each connection completes its request ─▶ database task ends ─▶ checkpoint of the log
//! ```
//!
//! tansu's own server is not used: it handles the process's signals and writes progress bars to stdout.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use rama::{
    Context, Layer as _, Service as _,
    layer::{MapErrLayer, MapStateLayer},
};
use tansu_broker::{
    Error as TansuError,
    coordinator::group::administrator::Controller,
    service::{coordinator, storage as routes},
};
use tansu_sans_io::{ApiKey as _, FetchRequest};
use tansu_service::{BytesFrameLayer, BytesFrameService, FrameRequestLayer, FrameRouteService};
use tansu_storage::{BrokerRegistrationRequest, Storage as _, StorageContainer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use crate::{
    BrokerError, SpoolKey,
    fetch::FetchService,
    lock::{self, DATABASE_FILE, DirectoryLock},
    spool::{self, Spool},
    storage::EncryptedStorage,
    versions::PlainVersions,
};

const NODE: i32 = 1;
/// Bytes of one request. A batch has less than half of that; a larger request is not from a Kafka client.
const MAX_REQUEST_BYTES: usize = 160 << 20;
const HEALTH_INTERVAL: Duration = Duration::from_secs(1);
const MAINTENANCE_INTERVAL: Duration = Duration::from_mins(1);
/// How long a stop waits for requests in progress.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The broker's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory of all files; created if it does not exist. One broker at a time may use it.
    pub directory: PathBuf,
    /// A loopback address; with port 0 the system chooses one, see [`EmbeddedBroker::address`].
    pub listen: SocketAddr,
    /// The key that encrypts everything in the directory.
    pub key: SpoolKey,
}

/// A running broker. Dropping it stops it without waiting; [`EmbeddedBroker::stop`] waits.
#[derive(Debug)]
pub struct EmbeddedBroker {
    address: SocketAddr,
    stopping: CancellationToken,
    task: JoinHandle<Result<(), BrokerError>>,
}

impl EmbeddedBroker {
    /// Starts a broker. When this returns, clients can connect.
    ///
    /// # Errors
    /// The address is not a loopback address or taken, the directory is in use, was written with another key, or cannot
    /// be read and written.
    pub async fn start(settings: Settings) -> Result<Self, BrokerError> {
        let Settings { directory, listen, key } = settings;
        if !listen.ip().is_loopback() {
            return Err(BrokerError::NotLoopback { address: listen });
        }
        lock::create_directory(&directory)?;
        let directory = directory.canonicalize().map_err(|source| BrokerError::Directory {
            action: "find",
            path: directory,
            source,
        })?;
        let lock = lock::lock_directory(&directory)?;
        let cluster = lock::check_key(&directory, &key)?;

        let listener =
            TcpListener::bind(listen).await.map_err(|source| BrokerError::Listen { address: listen, source })?;
        let address = listener.local_addr().map_err(|source| BrokerError::Listen { address: listen, source })?;

        let url_directory = UrlDirectory::new(directory)?;
        let path = url_directory.path.join(DATABASE_FILE);
        let database = spool::prepare(&path).await?;
        let engine = CancellationToken::new();
        let inner = StorageContainer::builder()
            .cluster_id(&cluster)
            .node_id(NODE)
            .advertised_listener(parse(&format!("tcp://{address}"))?)
            .storage(url_directory.url()?)
            .silent(true)
            .cancellation(engine.clone())
            .build()
            .await
            .map_err(|error| BrokerError::database("open", error))?;
        inner
            .register_broker(BrokerRegistrationRequest {
                broker_id: NODE,
                cluster_id: cluster.clone(),
                incarnation_id: Uuid::new_v4(),
                rack: None,
            })
            .await
            .map_err(|error| BrokerError::database("register in", error))?;
        let spool = Spool::open(database, &path, &cluster, key).await?;
        let storage = EncryptedStorage::new(inner, Arc::new(spool));

        let stopping = CancellationToken::new();
        let frames = frames(&storage, &stopping).map_err(|error| BrokerError::database("route to", error))?;
        let server = Server {
            listener,
            frames,
            storage,
            engine,
            stopping: stopping.clone(),
            _directory: url_directory,
            _lock: lock,
        };
        tracing::info!(%address, "the embedded broker is listening");
        Ok(Self { address, stopping, task: tokio::spawn(server.run()) })
    }

    /// Where clients connect; `bootstrap.servers` of every client.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs until `stop` is cancelled, then stops as [`EmbeddedBroker::stop`] does.
    ///
    /// # Errors
    /// The broker ended by itself: its database failed, or its task panicked.
    pub async fn run_until(mut self, stop: CancellationToken) -> Result<(), BrokerError> {
        tokio::select! {
            outcome = &mut self.task => ended(outcome),
            () = stop.cancelled() => self.stop().await,
        }
    }

    /// Stops accepting connections, completes the requests in progress (for at most 10 s), and closes the database.
    ///
    /// # Errors
    /// The broker had already ended by itself.
    pub async fn stop(mut self) -> Result<(), BrokerError> {
        self.stopping.cancel();
        ended((&mut self.task).await)
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

fn ended(outcome: Result<Result<(), BrokerError>, tokio::task::JoinError>) -> Result<(), BrokerError> {
    outcome.unwrap_or_else(|error| Err(BrokerError::Task { reason: error.to_string() }))
}

fn parse(url: &str) -> Result<Url, BrokerError> {
    Url::parse(url).map_err(|error| BrokerError::database("address", error))
}

/// A path of the directory that tansu accepts in a URL.
///
/// tansu appends the path of the URL to the working directory and does not decode it. An absolute path after one more
/// slash replaces the working directory. A space, for example, would stay `%20`, so a directory with such a name gets a
/// symbolic link.
struct UrlDirectory {
    path: PathBuf,
    link: Option<PathBuf>,
}

impl UrlDirectory {
    fn new(directory: PathBuf) -> Result<Self, BrokerError> {
        let plain = Self { path: directory, link: None };
        if plain.url().is_ok() {
            return Ok(plain);
        }
        let link = std::env::temp_dir().join(format!("holdfast-broker-{}", Uuid::new_v4()));
        #[cfg(unix)]
        let created = std::os::unix::fs::symlink(&plain.path, &link);
        #[cfg(not(unix))]
        let created = Err(io::Error::from(io::ErrorKind::Unsupported));
        created.map_err(|source| BrokerError::Directory { action: "link to", path: plain.path.clone(), source })?;
        let linked = Self { path: link.clone(), link: Some(link) };
        linked.url()?;
        Ok(linked)
    }

    fn url(&self) -> Result<Url, BrokerError> {
        let unusable = || BrokerError::Directory {
            action: "make a database address of",
            path: self.path.clone(),
            source: io::Error::from(io::ErrorKind::InvalidFilename),
        };
        let database = self.path.join(DATABASE_FILE);
        let database = database.to_str().ok_or_else(unusable)?;
        let url = parse(&format!("sqlite:///{database}"))?;
        if url.path().strip_prefix('/') == Some(database) && url.query().is_none() && url.fragment().is_none() {
            Ok(url)
        } else {
            Err(unusable())
        }
    }
}

impl Drop for UrlDirectory {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            let _ = std::fs::remove_file(link);
        }
    }
}

type Frames = BytesFrameService<PlainVersions>;

/// The routes of supported requests. Others are not announced to clients: transactions, access control lists,
/// credentials.
fn frames(storage: &EncryptedStorage, stopping: &CancellationToken) -> Result<Frames, TansuError> {
    let mut builder = FrameRouteService::<(), TansuError>::builder();
    for route in [
        routes::consumer_group_describe,
        routes::create_topics,
        routes::delete_groups,
        routes::delete_records,
        routes::delete_topics,
        routes::describe_cluster,
        routes::describe_configs,
        routes::describe_groups,
        routes::describe_topic_partitions,
        routes::find_coordinator,
        routes::incremental_alter_configs,
        routes::init_producer_id,
        routes::list_groups,
        routes::list_offsets,
        routes::list_partition_reassignments,
        routes::metadata,
        routes::produce,
    ] {
        builder = route(builder, storage.clone())?;
    }
    let state = storage.clone();
    builder = builder.with_route(
        FetchRequest::KEY,
        (MapErrLayer::new(TansuError::from), MapStateLayer::new(|_| state), FrameRequestLayer::<FetchRequest>::new())
            .into_layer(FetchService { stopping: stopping.clone() })
            .boxed(),
    )?;
    let builder = coordinator::services(builder, Controller::with_storage(storage.clone())?)?;
    Ok(BytesFrameLayer::default().into_layer(PlainVersions { routes: builder.build()? }))
}

struct Server {
    listener: TcpListener,
    frames: Frames,
    storage: EncryptedStorage,
    /// Ends tansu's storage task.
    engine: CancellationToken,
    stopping: CancellationToken,
    _directory: UrlDirectory,
    _lock: DirectoryLock,
}

impl Server {
    async fn run(self) -> Result<(), BrokerError> {
        let mut connections = JoinSet::new();
        let outcome = self.serve(&mut connections).await;

        self.stopping.cancel();
        let drained = timeout(DRAIN_TIMEOUT, async { while connections.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!(connections = connections.len(), "connections did not complete in time and are closed");
            connections.shutdown().await;
        }
        self.engine.cancel();
        if let Err(error) = self.storage.spool().checkpoint().await {
            // Nothing is lost: the log is on disk and is read at the next start.
            tracing::warn!(%error, "the checkpoint of the broker's database failed");
        }
        tracing::info!("the embedded broker has stopped");
        outcome
    }

    async fn serve(&self, tasks: &mut JoinSet<()>) -> Result<(), BrokerError> {
        let mut health = interval(HEALTH_INTERVAL);
        health.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut maintenance = interval(MAINTENANCE_INTERVAL);
        maintenance.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ping: Option<JoinHandle<Result<(), tansu_storage::Error>>> = None;

        loop {
            tokio::select! {
                () = self.stopping.cancelled() => return Ok(()),
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let connection = connection(stream, self.frames.clone(), self.stopping.clone());
                        tasks.spawn(async move {
                            if let Err(error) = connection.await {
                                tracing::warn!(%peer, %error, "a connection failed");
                            }
                        });
                    }
                    Err(error) => {
                        // Most likely out of file descriptors: waiting helps, ending the broker does not.
                        tracing::error!(%error, "a connection was not accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                _ = health.tick() => {
                    if self.storage.spool().has_failed() {
                        return Err(BrokerError::database("write to", "its log could not be synced to disk"));
                    }
                    // In a separate task: tansu's storage ends permanently if the caller of a request is dropped.
                    if ping.as_ref().is_none_or(JoinHandle::is_finished) {
                        if let Some(ping) = ping.take() {
                            ping.await
                                .map_err(|error| BrokerError::database("reach", error))?
                                .map_err(|error| BrokerError::database("reach", error))?;
                        }
                        let storage = self.storage.clone();
                        ping = Some(tokio::spawn(async move { storage.ping().await }));
                    }
                }
                _ = maintenance.tick() => {
                    let storage = self.storage.clone();
                    tasks.spawn(async move {
                        if let Err(error) = storage.maintain(SystemTime::now()).await {
                            tracing::warn!(%error, "maintenance of the broker's database failed");
                        }
                    });
                }
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection's task panicked");
                    }
                }
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error("a request of {0} bytes is not a Kafka request")]
    TooLarge(i64),
    #[error("a request was not understood: {0}")]
    Request(TansuError),
    #[error(transparent)]
    Stream(#[from] io::Error),
}

/// Handles requests in their order, as Kafka guarantees, until the client disconnects or the broker stops between two
/// requests.
async fn connection(mut stream: TcpStream, frames: Frames, stopping: CancellationToken) -> Result<(), ConnectionError> {
    stream.set_nodelay(true)?;
    loop {
        let mut size = [0; 4];
        let read = tokio::select! {
            biased;
            () = stopping.cancelled() => return Ok(()),
            read = stream.read_exact(&mut size) => read,
        };
        if let Err(error) = read {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Ok(()),
                _ => Err(error.into()),
            };
        }
        let length = i32::from_be_bytes(size);
        let body = usize::try_from(length)
            .ok()
            .filter(|&length| length <= MAX_REQUEST_BYTES)
            .ok_or(ConnectionError::TooLarge(length.into()))?;
        let mut request = vec![0; size.len() + body];
        request[..size.len()].copy_from_slice(&size);
        let handled = async {
            stream.read_exact(&mut request[size.len()..]).await?;
            let response = frames
                .serve(Context::default(), Bytes::from(std::mem::take(&mut request)))
                .await
                .map_err(ConnectionError::Request)?;
            stream.write_all(&response).await.map_err(ConnectionError::Stream)
        };
        match handled.await {
            Err(ConnectionError::Stream(error))
                if matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
                ) =>
            {
                return Ok(());
            }
            outcome => outcome?,
        }
    }
}
