//! The only file of the crate that knows Python. It translates and decides nothing; `rtc/_dataplane.pyi` is its face.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};

use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::core::{
    Command, Event, ExtensionKind, Path, Payload, Profile, Protocol, RoomId, Scope, SinkConfig,
    SinkId, SinkStats, SourceConfig, SourceId, SourceStats, SpeakerConfig, SrtpKeys, StatsReport,
    TransportId, TransportStats,
};
use crate::io;
use crate::io::names::{Named, PROFILES};

#[pymodule(gil_used = true)]
mod _dataplane {
    #[pymodule_export]
    use super::{Dataplane, QueueFull};
}

pyo3::create_exception!(
    rtc._dataplane,
    QueueFull,
    PyException,
    "The command queue of the worker is full (65,536 commands): nothing was done, ask again later."
);

impl From<io::QueueFull> for PyErr {
    fn from(error: io::QueueFull) -> Self {
        QueueFull::new_err(error.to_string())
    }
}

type RawPayload = (u8, String, u32, u32, Option<u8>, bool, bool, bool);

/// Sockets, workers and queues. No call waits; handles are never reused.
///
/// Commands for a handle that is gone are ignored: they race with the events that say so.
#[pyclass(module = "rtc._dataplane")]
struct Dataplane(io::Dataplane);

#[pymethods]
impl Dataplane {
    #[new]
    #[pyo3(signature = (*, addresses, port, workers, tcp))]
    fn new(addresses: Vec<String>, port: u16, workers: usize, tcp: bool) -> PyResult<Self> {
        let addresses = addresses
            .iter()
            .map(|text| parse_ip(text))
            .collect::<PyResult<Vec<_>>>()?;
        if addresses.is_empty() || workers == 0 {
            return Err(PyValueError::new_err(
                "addresses and workers must not be empty",
            ));
        }
        let listen = io::Listen {
            addresses,
            port,
            workers,
            tcp,
        };
        Ok(Self(io::Dataplane::open(&listen)?))
    }

    /// Readable while events wait. Belongs to this object: do not close it, do not read it.
    #[getter]
    fn event_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// The port of each worker, UDP and TCP alike.
    fn ports(&self) -> Vec<u16> {
        self.0.ports()
    }

    /// Take up to `limit` events; the first item of each is its name in snake_case.
    fn poll_events<'py>(
        &mut self,
        py: Python<'py>,
        limit: usize,
    ) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        self.0
            .poll(limit)
            .into_iter()
            .map(|notice| notice_tuple(py, notice))
            .collect()
    }

    /// What was counted since the start, over all workers.
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let totals = PyDict::new(py);
        for (name, value) in self.0.counters() {
            totals.set_item(name, value)?;
        }
        Ok(totals)
    }

    /// End the workers and close the sockets. A second call does nothing.
    fn close(&mut self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }

    fn add_room(&mut self) -> PyResult<u32> {
        Ok(self.0.add_room(SpeakerConfig::default())?.0)
    }

    fn worker_of(&self, room: u32) -> usize {
        self.0.worker_of(room)
    }

    fn remove_room(&self, room: u32) -> PyResult<()> {
        self.send(room, Command::RemoveRoom { room: RoomId(room) })
    }

    fn add_transport(&mut self, room: u32, ufrag: String, pwd: String) -> PyResult<u32> {
        Ok(self.0.add_transport(RoomId(room), ufrag, pwd)?.0)
    }

    fn restart_ice(&self, transport: u32, ufrag: String, pwd: String) -> PyResult<()> {
        let (local_ufrag, local_pwd) = (ufrag, pwd);
        let id = TransportId(transport);
        self.send(
            transport,
            Command::RestartIce {
                transport: id,
                local_ufrag,
                local_pwd,
            },
        )
    }

    fn close_transport(&self, transport: u32) -> PyResult<()> {
        self.send(
            transport,
            Command::CloseTransport {
                transport: TransportId(transport),
            },
        )
    }

    fn send_dtls(&self, transport: u32, data: &[u8]) -> PyResult<()> {
        let data = data.to_vec();
        self.send(
            transport,
            Command::SendDtls {
                transport: TransportId(transport),
                data,
            },
        )
    }

    fn set_srtp(
        &self,
        transport: u32,
        profile: u16,
        local_key: Vec<u8>,
        local_salt: Vec<u8>,
        remote_key: Vec<u8>,
        remote_salt: Vec<u8>,
    ) -> PyResult<()> {
        let keys = parse_keys(profile, (local_key, local_salt), (remote_key, remote_salt))?;
        self.send(
            transport,
            Command::SetSrtp {
                transport: TransportId(transport),
                keys,
            },
        )
    }

    fn set_extensions(
        &self,
        transport: u32,
        incoming: Vec<(u8, String)>,
        outgoing: Vec<(u8, String)>,
    ) -> PyResult<()> {
        let incoming = parse_extensions(incoming)?;
        let outgoing = parse_extensions(outgoing)?;
        let id = TransportId(transport);
        self.send(
            transport,
            Command::SetExtensions {
                transport: id,
                incoming,
                outgoing,
            },
        )
    }

    #[expect(clippy::too_many_arguments, reason = "flat, as Python calls it")]
    fn add_source(
        &mut self,
        transport: u32,
        kind: &str,
        mid: String,
        rid: Option<String>,
        ssrc: Option<u32>,
        rtx_ssrc: Option<u32>,
        payloads: Vec<RawPayload>,
        participant: u32,
    ) -> PyResult<u32> {
        let kind = parse(kind)?;
        let payloads = parse_payloads(payloads)?;
        let config = SourceConfig {
            kind,
            mid,
            rid,
            ssrc,
            rtx_ssrc,
            payloads,
            participant,
        };
        let transport = TransportId(transport);
        let source = self.0.source_on(transport)?;
        self.send(
            source.0,
            Command::AddSource {
                source,
                transport,
                config,
            },
        )?;
        Ok(source.0)
    }

    fn remove_source(&self, source: u32) -> PyResult<()> {
        self.send(
            source,
            Command::RemoveSource {
                source: SourceId(source),
            },
        )
    }

    fn pause_source(&self, source: u32, paused: bool) -> PyResult<()> {
        self.send(
            source,
            Command::PauseSource {
                source: SourceId(source),
                paused,
            },
        )
    }

    fn add_sink(
        &mut self,
        transport: u32,
        kind: &str,
        mid: String,
        ssrc: u32,
        rtx_ssrc: Option<u32>,
        payloads: Vec<RawPayload>,
    ) -> PyResult<u32> {
        let kind = parse(kind)?;
        let payloads = parse_payloads(payloads)?;
        let config = SinkConfig {
            kind,
            mid,
            ssrc,
            rtx_ssrc,
            payloads,
        };
        let transport = TransportId(transport);
        let sink = self.0.sink_on(transport)?;
        self.send(
            sink.0,
            Command::AddSink {
                sink,
                transport,
                config,
            },
        )?;
        Ok(sink.0)
    }

    fn remove_sink(&self, sink: u32) -> PyResult<()> {
        self.send(sink, Command::RemoveSink { sink: SinkId(sink) })
    }

    fn route(
        &self,
        sink: u32,
        sources: Vec<u32>,
        max_height: Option<u16>,
        max_fps: Option<u16>,
        priority: u8,
    ) -> PyResult<()> {
        let sources = sources.into_iter().map(SourceId).collect();
        self.send(
            sink,
            Command::Route {
                sink: SinkId(sink),
                sources,
                max_height,
                max_fps,
                priority,
            },
        )
    }

    fn request_stats(&self, token: u64, transport: Option<u32>, room: Option<u32>) -> PyResult<()> {
        let (number, scope) = match (transport, room) {
            (Some(transport), None) => (transport, Scope::Transport(TransportId(transport))),
            (None, Some(room)) => (room, Scope::Room(RoomId(room))),
            _ => {
                return Err(PyValueError::new_err(
                    "exactly one of transport and room is needed",
                ));
            }
        };
        self.send(number, Command::RequestStats { token, scope })
    }

    /// Have a worker hit a bug, for the tests of what happens then.
    fn fail_worker(&self, worker: usize) {
        self.0.fail_worker(worker);
    }
}

impl Dataplane {
    fn send(&self, number: u32, command: Command) -> PyResult<()> {
        Ok(self.0.send(number, command)?)
    }
}

fn parse_ip(text: &str) -> PyResult<IpAddr> {
    text.parse()
        .map_err(|_| PyValueError::new_err(format!("{text:?} is no IP address")))
}

fn parse<T: Named>(word: &str) -> PyResult<T> {
    T::parse(word).ok_or_else(|| PyValueError::new_err(format!("{word:?} is no known {}", T::WHAT)))
}

fn parse_keys(
    profile: u16,
    local: (Vec<u8>, Vec<u8>),
    remote: (Vec<u8>, Vec<u8>),
) -> PyResult<SrtpKeys> {
    let Some(&(_, profile, key, salt)) = PROFILES.iter().find(|known| known.0 == profile) else {
        let message = format!("{profile} is no known SRTP protection profile");
        return Err(PyValueError::new_err(message));
    };
    if [&local, &remote]
        .iter()
        .any(|half| (half.0.len(), half.1.len()) != (key, salt))
    {
        let message = format!("{key} bytes of key and {salt} of salt are needed");
        return Err(PyValueError::new_err(message));
    }
    Ok(SrtpKeys {
        profile,
        local_key: local.0,
        local_salt: local.1,
        remote_key: remote.0,
        remote_salt: remote.1,
    })
}

fn parse_payloads(raw: Vec<RawPayload>) -> PyResult<Vec<Payload>> {
    raw.into_iter()
        .map(
            |(pt, codec, codec_key, clock_rate, rtx_pt, nack, pli, transport_cc)| {
                let codec = parse(&codec)?;
                Ok(Payload {
                    pt,
                    codec,
                    codec_key,
                    clock_rate,
                    rtx_pt,
                    nack,
                    pli,
                    transport_cc,
                })
            },
        )
        .collect()
}

fn parse_extensions(raw: Vec<(u8, String)>) -> PyResult<Vec<(u8, ExtensionKind)>> {
    raw.into_iter()
        .map(|(id, name)| Ok((id, parse(&name)?)))
        .collect()
}

fn notice_tuple(py: Python<'_>, notice: io::Notice) -> PyResult<Bound<'_, PyTuple>> {
    match notice {
        io::Notice::Plane(event) => event_tuple(py, event),
        io::Notice::Failed(failure) => {
            let rooms: Vec<u32> = failure.rooms.iter().map(|room| room.0).collect();
            let transports: Vec<u32> = failure
                .transports
                .iter()
                .map(|transport| transport.0)
                .collect();
            (
                "worker_failed",
                failure.worker,
                rooms,
                transports,
                failure.reason,
            )
                .into_pyobject(py)
        }
    }
}

fn event_tuple(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyTuple>> {
    match event {
        Event::Dtls { transport, data } => {
            ("dtls", transport.0, PyBytes::new(py, &data)).into_pyobject(py)
        }
        Event::PathSelected { transport, path } => {
            let (protocol, local, remote) = path_parts(path);
            ("path_selected", transport.0, protocol, local, remote).into_pyobject(py)
        }
        Event::ConsentLost { transport } => ("consent_lost", transport.0).into_pyobject(py),
        Event::SourceActive {
            source,
            ssrc,
            codec_key,
        } => ("source_active", source.0, ssrc, codec_key).into_pyobject(py),
        Event::SourceIdle { source } => ("source_idle", source.0).into_pyobject(py),
        Event::SourceLayer {
            source,
            width,
            height,
        } => ("source_layer", source.0, width, height).into_pyobject(py),
        Event::SinkSwitched { sink, source } => {
            ("sink_switched", sink.0, source.map(|source| source.0)).into_pyobject(py)
        }
        Event::Speakers { room, levels } => {
            let levels: Vec<(u32, u8, bool)> = levels
                .iter()
                .map(|level| (level.source.0, level.level_dbov, level.speaking))
                .collect();
            ("speakers", room.0, levels).into_pyobject(py)
        }
        Event::Stats { token, report } => {
            let (transports, sources, sinks) = report_lists(py, &report)?;
            ("stats", token, transports, sources, sinks).into_pyobject(py)
        }
    }
}

type Address = (String, u16);

fn path_parts(path: Path) -> (&'static str, Address, Address) {
    let protocol = match path.protocol {
        Protocol::Udp => "udp",
        Protocol::Tcp(_) => "tcp",
    };
    let parts = |address: SocketAddr| (address.ip().to_string(), address.port());
    (protocol, parts(path.local), parts(path.remote))
}

type Lists<'py> = (Bound<'py, PyList>, Bound<'py, PyList>, Bound<'py, PyList>);

fn report_lists<'py>(py: Python<'py>, report: &StatsReport) -> PyResult<Lists<'py>> {
    let (transports, sources, sinks) = (PyList::empty(py), PyList::empty(py), PyList::empty(py));
    for stats in &report.transports {
        transports.append(transport_dict(py, stats)?)?;
    }
    for stats in &report.sources {
        sources.append(source_dict(py, stats)?)?;
    }
    for stats in &report.sinks {
        sinks.append(sink_dict(py, stats)?)?;
    }
    Ok((transports, sources, sinks))
}

/// A dict of the named fields of a plain struct; those that are not plain are given with a value.
macro_rules! dict {
    ($py:expr, $stats:expr, [$($field:ident),*], {$($name:literal: $value:expr),*}) => {{
        let dict = PyDict::new($py);
        $(dict.set_item(stringify!($field), $stats.$field)?;)*
        $(dict.set_item($name, $value)?;)*
        Ok(dict)
    }};
}

fn transport_dict<'py>(py: Python<'py>, stats: &TransportStats) -> PyResult<Bound<'py, PyDict>> {
    dict!(
        py,
        stats,
        [packets_received, bytes_received, packets_sent, bytes_sent, rtt_ms, remb_bps],
        {
            "transport": stats.transport.0,
            "path": stats.path.map(path_parts),
            "profile": stats.profile.and_then(profile_id)
        }
    )
}

fn source_dict<'py>(py: Python<'py>, stats: &SourceStats) -> PyResult<Bound<'py, PyDict>> {
    dict!(
        py,
        stats,
        [
            ssrc, codec_key, active, paused, packets, bytes, lost, repaired, nacks_sent, plis_sent,
            keyframes, jitter_ms, bitrate_bps, fps, width, height, level_dbov
        ],
        {
            "source": stats.source.0,
            "transport": stats.transport.0,
            "kind": stats.kind.word()
        }
    )
}

fn sink_dict<'py>(py: Python<'py>, stats: &SinkStats) -> PyResult<Bound<'py, PyDict>> {
    dict!(
        py,
        stats,
        [
            packets, bytes, retransmitted, nacks_received, plis_received, switches, bitrate_bps,
            lost, fraction_lost, jitter_ms, rtt_ms
        ],
        {
            "sink": stats.sink.0,
            "transport": stats.transport.0,
            "kind": stats.kind.word(),
            "source": stats.source.map(|source| source.0),
            "pending": stats.pending.map(|source| source.0)
        }
    )
}

fn profile_id(profile: Profile) -> Option<u16> {
    PROFILES
        .iter()
        .find(|known| known.1 == profile)
        .map(|known| known.0)
}
