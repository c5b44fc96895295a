//! What comes over the network: discovery, keys, and following the denylist. The other side is a real socket.

#[cfg(test)]
mod discovery;
#[cfg(test)]
mod follower;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod lease;
#[cfg(test)]
mod server;
#[cfg(feature = "actix")]
#[cfg(test)]
mod skin;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
