//! What a plane has counted since its beginning.

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Totals; the names of those for dropped input begin with `drop_` and say why.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// In the order of `NAMES`.
            pub fn values(&self) -> [u64; Self::NAMES.len()] {
                [$(self.$name),*]
            }

            /// Sums up two planes.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

counters! {
    datagrams_received,
    bytes_received,
    datagrams_sent,
    bytes_sent,
    /// Packets of media that went out, retransmissions not counted.
    packets_forwarded,
    packets_retransmitted,
    stun_requests,
    stun_errors_sent,
    nacks_received,
    nacks_sent,
    plis_received,
    plis_sent,
    /// Neither STUN, DTLS, RTP nor RTCP.
    drop_unknown_protocol,
    drop_stun_malformed,
    drop_stun_unknown_ufrag,
    drop_stun_bad_integrity,
    /// DTLS, RTP or RTCP from an address that no check has validated.
    drop_unvalidated,
    drop_dtls_overflow,
    drop_dtls_no_path,
    /// SRTP before the keys are known.
    drop_no_keys,
    drop_rtp_malformed,
    drop_rtp_unknown_ssrc,
    drop_rtp_unknown_payload,
    drop_srtp_authentication,
    drop_srtp_replay,
    drop_rtcp_malformed,
    drop_rtcp_authentication,
    drop_rtcp_replay,
    /// Received before, by retransmission or otherwise.
    drop_duplicate,
    /// Too old for the history.
    drop_late,
    drop_command_unknown_handle,
    drop_command_bad_keys,
}
