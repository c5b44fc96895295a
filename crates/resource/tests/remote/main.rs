//! What comes over the network: discovery, keys, and following the denylist. The server is a real socket.

#[cfg(feature = "actix")]
#[cfg(test)]
mod adapter;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod follower;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod lease;
#[cfg(test)]
mod log;
#[cfg(test)]
mod server;
#[cfg(test)]
mod stopped;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
