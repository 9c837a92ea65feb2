//! A cluster: three masters with a replica each.

use std::ffi::OsString;
use std::path::Path;

use super::server::{RedisServer, StartError};
use super::{hold, until};
use crate::free_port;

const MASTERS: usize = 3;
const SLOTS: usize = 16_384;

/// Three masters with a replica each, all processes of their own. Dropping it ends them all.
#[derive(Debug)]
pub struct RedisCluster {
    /// Masters first, then their replicas in the same order.
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    server: RedisServer,
    id: String,
    bus_port: u16,
}

impl RedisCluster {
    /// Starts six nodes and makes them a cluster whose replicas are in sync.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start() -> Result<Self, StartError> {
        let mut nodes = Vec::new();
        for _ in 0..2 * MASTERS {
            nodes.push(Node::start().await?);
        }
        let cluster = Self { nodes };
        cluster.join().await?;
        Ok(cluster)
    }

    /// The nodes' addresses.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.server.url()).collect()
    }

    /// The nodes: three masters, then their replicas in the same order, as it was in the beginning.
    pub fn servers(&mut self) -> impl Iterator<Item = &mut RedisServer> {
        self.nodes.iter_mut().map(|node| &mut node.server)
    }

    /// The node that was started at this place.
    pub fn server(&mut self, at: usize) -> &mut RedisServer {
        &mut self.nodes[at].server
    }

    /// The slot of a key, as the cluster says.
    ///
    /// # Errors
    /// When the first node does not answer.
    pub async fn slot_of(&self, key: &str) -> std::io::Result<usize> {
        let said = self.nodes[0].server.text(&format!("CLUSTER KEYSLOT {key}")).await?;
        said.trim_start_matches(':').trim().parse().map_err(std::io::Error::other)
    }

    /// Which of the first masters held the slot in the beginning.
    pub fn holder_of(slot: usize) -> usize {
        (0..MASTERS).find(|at| range(*at).1 >= slot).unwrap_or(MASTERS - 1)
    }

    /// Begins to move a slot between two masters: keys that are there no more, and new ones, are the other's (ASK).
    ///
    /// # Errors
    /// When a node refuses.
    pub async fn begin_move(&self, slot: usize, from: usize, to: usize) -> std::io::Result<()> {
        let (from, to) = (&self.nodes[from], &self.nodes[to]);
        to.server.text(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", from.id)).await?;
        from.server.text(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", to.id)).await?;
        Ok(())
    }

    /// Moves the slot's keys, and then the slot (MOVED).
    ///
    /// # Errors
    /// When a node refuses.
    pub async fn end_move(&self, slot: usize, from: usize, to: usize) -> std::io::Result<()> {
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        loop {
            let keys = source.server.text(&format!("CLUSTER GETKEYSINSLOT {slot} 1")).await?;
            let Some(key) = keys.lines().nth(2) else { break };
            let port = target.server.address().port();
            source.server.text(&format!("MIGRATE 127.0.0.1 {port} \"{key}\" 0 5000")).await?;
        }
        // Those who take part first, so that nobody is pointed at someone who does not know yet.
        for node in [target, source].into_iter().chain(&self.nodes[..MASTERS]) {
            node.server.text(&format!("CLUSTER SETSLOT {slot} NODE {}", target.id)).await?;
        }
        Ok(())
    }

    /// Waits until every node that runs says that the cluster serves all slots.
    ///
    /// # Errors
    /// [`StartError::NotYet`].
    pub async fn wait_until_whole(&self) -> Result<(), StartError> {
        until("a whole cluster", || async {
            for node in self.nodes.iter().filter(|node| node.server.runs()) {
                let info = node.server.text("CLUSTER INFO").await.map_err(|e| e.to_string())?;
                let whole = info.contains("cluster_state:ok")
                    && info.contains("cluster_slots_ok:16384")
                    && info.contains("cluster_known_nodes:6");
                hold(whole, &info)?;
            }
            Ok(())
        })
        .await
    }

    async fn join(&self) -> Result<(), StartError> {
        let first = &self.nodes[0];
        for (epoch, node) in self.nodes.iter().enumerate() {
            node.server.text(&format!("CLUSTER SET-CONFIG-EPOCH {}", epoch + 1)).await?;
            let (port, bus) = (first.server.address().port(), first.bus_port);
            if epoch > 0 {
                node.server.text(&format!("CLUSTER MEET 127.0.0.1 {port} {bus}")).await?;
            }
        }
        for at in 0..MASTERS {
            let (from, to) = range(at);
            self.nodes[at].server.text(&format!("CLUSTER ADDSLOTSRANGE {from} {to}")).await?;
        }
        self.wait_until_whole().await?;
        for (master, replica) in self.nodes.iter().zip(&self.nodes[MASTERS..]) {
            replica.server.text(&format!("CLUSTER REPLICATE {}", master.id)).await?;
        }
        self.wait_for_replicas().await
    }

    async fn wait_for_replicas(&self) -> Result<(), StartError> {
        until("in sync", || async {
            for node in &self.nodes[..MASTERS] {
                let info = node.server.text("INFO replication").await.map_err(|e| e.to_string())?;
                hold(info.matches("state=online").count() == 1, &info)?;
            }
            // A client that asks any node must hear of the replicas: a master alone cannot be followed by one.
            for node in &self.nodes {
                let nodes = node.server.text("CLUSTER NODES").await.map_err(|e| e.to_string())?;
                hold(nodes.matches("slave ").count() == MASTERS, &nodes)?;
            }
            Ok(())
        })
        .await
    }
}

impl Node {
    async fn start() -> Result<Self, StartError> {
        let bus_port = free_port()?;
        let server = RedisServer::start_with(|dir| arguments(dir, bus_port)).await?;
        let id = server.text("CLUSTER MYID").await?.lines().nth(1).unwrap_or_default().to_owned();
        Ok(Self { server, id, bus_port })
    }
}

fn arguments(dir: &Path, bus_port: u16) -> Vec<OsString> {
    let file = dir.join("nodes.conf");
    let mut arguments: Vec<OsString> = [
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        "1000",
        // However long a replica has not heard from its master, it may follow.
        "--cluster-replica-validity-factor",
        "0",
        "--repl-diskless-sync-delay",
        "0",
        "--cluster-port",
    ]
    .map(OsString::from)
    .to_vec();
    arguments.extend([bus_port.to_string().into(), "--cluster-config-file".into(), file.into()]);
    arguments
}

/// The slots that a master holds in the beginning, the last one included.
fn range(at: usize) -> (usize, usize) {
    (SLOTS * at / MASTERS, SLOTS * (at + 1) / MASTERS - 1)
}
