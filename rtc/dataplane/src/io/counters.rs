//! What sockets, queues and workers have counted.

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Totals of one worker since its start, over restarts.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct IoCounters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl IoCounters {
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// In the order of `NAMES`.
            pub fn values(&self) -> [u64; Self::NAMES.len()] {
                [$(self.$name),*]
            }
        }
    };
}

counters! {
    /// Turns of the worker's loop.
    turns,
    /// Microseconds in which the worker did not wait.
    busy_us,
    /// Turns that waited for packets to gather.
    gathered,
    receive_failed,
    /// Larger than a datagram can be, or from no IP address.
    receive_truncated,
    send_failed,
    /// The interface's queue was full.
    send_no_buffers,
    /// The socket's buffer was full for too long.
    send_backlog_dropped,
    /// No socket for the local address.
    send_no_socket,
    segmentation_refused,
    /// Sockets whose buffers the kernel made smaller than asked for.
    buffers_capped,
    tcp_accepted,
    /// One connection too many, by worker or by address.
    tcp_refused,
    /// Nothing useful came for too long.
    tcp_expired,
    tcp_closed,
    /// Media dropped because the connection's buffer was full.
    tcp_dropped,
    /// Waiting for Python when there were too many.
    dtls_events_dropped,
    /// Superseded by a newer state of the same thing before Python took them.
    events_merged,
    worker_failures,
}
