//! Commands, carried out.

use std::time::Instant;

use super::extension_ids::{IncomingIds, OutgoingIds};
use super::ice::Ice;
use super::layers::Limits;
use super::room::Room;
use super::secure::Secure;
use super::sink::Sink;
use super::source::Source;
use super::transport::Transport;
use super::{
    Command, Event, Path, Plane, RoomId, SinkConfig, SinkId, SourceConfig, SourceId, SrtpKeys,
    TransportId,
};

impl Plane {
    pub(super) fn obey(&mut self, now: Instant, command: Command) {
        let known = match command {
            Command::AddRoom { room, speakers } => {
                self.rooms.insert(room, Room::new(speakers));
                Some(())
            }
            Command::RemoveRoom { room } => self.remove_room(now, room),
            Command::AddTransport {
                transport,
                room,
                local_ufrag,
                local_pwd,
            } => self.add_transport(now, transport, room, local_ufrag, &local_pwd),
            Command::RestartIce {
                transport,
                local_ufrag,
                local_pwd,
            } => self.restart_ice(transport, local_ufrag, &local_pwd),
            Command::CloseTransport { transport } => self.close_transport(now, transport),
            Command::SendDtls { transport, data } => self.send_dtls(transport, &data),
            Command::SetSrtp { transport, keys } => self.set_srtp(transport, &keys),
            Command::SetExtensions {
                transport,
                incoming,
                outgoing,
            } => self.transports.get_mut(&transport).map(|transport| {
                transport.incoming = IncomingIds::new(&incoming);
                transport.outgoing = OutgoingIds::new(&outgoing);
            }),
            Command::AddSource {
                source,
                transport,
                config,
            } => self.add_source(source, transport, config),
            Command::RemoveSource { source } => self.remove_source(now, source),
            Command::PauseSource { source, paused } => self.pause_source(now, source, paused),
            Command::AddSink {
                sink,
                transport,
                config,
            } => self.add_sink(sink, transport, config),
            Command::RemoveSink { sink } => self.remove_sink(sink),
            Command::Route {
                sink,
                sources,
                max_height,
                max_fps,
                priority,
            } => {
                let limits = Limits {
                    height: max_height,
                    frames_per_second: max_fps,
                };
                self.route(now, sink, sources, limits, priority)
            }
            Command::RequestStats { token, scope } => {
                let report = Box::new(self.stats(now, scope));
                self.events.push(Event::Stats { token, report });
                Some(())
            }
        };
        if known.is_none() {
            self.counters.drop_command_unknown_handle += 1;
        }
    }

    fn remove_room(&mut self, now: Instant, id: RoomId) -> Option<()> {
        let room = self.rooms.remove(&id)?;
        self.deadlines.forget(super::deadlines::Who::Room(id));
        for transport in room.transports {
            self.close_transport(now, transport);
        }
        Some(())
    }

    fn add_transport(
        &mut self,
        now: Instant,
        id: TransportId,
        room: RoomId,
        ufrag: String,
        password: &str,
    ) -> Option<()> {
        self.rooms.get_mut(&room)?.transports.push(id);
        let ice = Ice::new(now, ufrag.clone(), password);
        let ssrc = self.random.next_u32();
        self.transports.insert(id, Transport::new(room, ice, ssrc));
        self.ufrags.insert(ufrag, id);
        self.ask_for_consent(id);
        Some(())
    }

    fn restart_ice(&mut self, id: TransportId, ufrag: String, password: &str) -> Option<()> {
        let transport = self.transports.get_mut(&id)?;
        let retired = transport.ice.restart(ufrag.clone(), password);
        self.ufrags.insert(ufrag, id);
        if let Some(retired) = retired {
            self.ufrags.remove(&retired);
        }
        Some(())
    }

    fn close_transport(&mut self, now: Instant, id: TransportId) -> Option<()> {
        let transport = self.transports.get(&id)?;
        let (sources, sinks) = (transport.sources.clone(), transport.sinks.clone());
        for (_, sink) in sinks {
            self.remove_sink(sink);
        }
        for source in sources {
            self.remove_source(now, source);
        }
        let transport = self.transports.remove(&id)?;
        for path in transport.ice.paths() {
            if self.paths.get(&path) == Some(&id) {
                self.paths.remove(&path);
            }
        }
        for ufrag in transport.ice.ufrags() {
            self.ufrags.remove(ufrag);
        }
        if let Some(room) = self.rooms.get_mut(&transport.room) {
            room.transports.retain(|other| *other != id);
        }
        self.deadlines.forget(super::deadlines::Who::Transport(id));
        Some(())
    }

    pub(super) fn close_path(&mut self, now: Instant, path: Path) {
        if let Some(id) = self.paths.get(&path).copied()
            && let Some(transport) = self.transports.get_mut(&id)
        {
            let change = transport.ice.remove(path);
            self.change_paths(now, id, change);
        }
    }

    fn send_dtls(&mut self, id: TransportId, data: &[u8]) -> Option<()> {
        match self.transports.get(&id)?.ice.selected() {
            Some(path) => self.outbox.send(path, |out| out.extend_from_slice(data)),
            None => self.counters.drop_dtls_no_path += 1,
        }
        Some(())
    }

    fn set_srtp(&mut self, id: TransportId, keys: &SrtpKeys) -> Option<()> {
        let transport = self.transports.get_mut(&id)?;
        match Secure::new(keys) {
            Ok(secure) => {
                transport.secure = Some(secure);
                self.became_ready(id);
            }
            // Keys come from a handshake that negotiated the profile: their length cannot be wrong unless the caller is.
            Err(_) => self.counters.drop_command_bad_keys += 1,
        }
        Some(())
    }

    fn add_source(&mut self, id: SourceId, on: TransportId, config: SourceConfig) -> Option<()> {
        let transport = self.transports.get_mut(&on)?;
        transport.sources.push(id);
        self.participants.entry(config.participant).or_default().1 += 1;
        self.sources.insert(id, Source::new(id, on, config));
        Some(())
    }

    fn remove_source(&mut self, now: Instant, id: SourceId) -> Option<()> {
        let source = self.sources.remove(&id)?;
        if let Some(transport) = self.transports.get_mut(&source.transport) {
            transport.sources.retain(|other| *other != id);
            transport.streams.forget(id);
            if let Some(room) = self.rooms.get_mut(&transport.room) {
                room.voices.remove(&id);
            }
        }
        let participant = source.config.participant;
        if let Some((_, sources)) = self.participants.get_mut(&participant) {
            *sources -= 1;
            if *sources == 0 {
                self.participants.remove(&participant);
            }
        }
        for sink in &source.routed {
            if let Some(sink) = self.sinks.get_mut(sink) {
                sink.route.retain(|other| *other != id);
            }
        }
        // Those that only wait to switch away from it are among the listeners and nowhere else.
        for sink in source.routed.into_iter().chain(source.listeners) {
            self.choose(now, sink);
        }
        Some(())
    }

    fn pause_source(&mut self, now: Instant, id: SourceId, paused: bool) -> Option<()> {
        let source = self.sources.get_mut(&id)?;
        source.paused = paused;
        let sinks: Vec<_> = source
            .routed
            .iter()
            .chain(&source.listeners)
            .copied()
            .collect();
        for sink in sinks {
            self.choose(now, sink);
        }
        Some(())
    }

    fn add_sink(&mut self, id: SinkId, on: TransportId, config: SinkConfig) -> Option<()> {
        let transport = self.transports.get_mut(&on)?;
        transport.sinks.push((config.ssrc, id));
        self.sinks
            .insert(id, Sink::new(id, on, config, &mut self.random));
        Some(())
    }

    fn remove_sink(&mut self, id: SinkId) -> Option<()> {
        let sink = self.sinks.remove(&id)?;
        let heard = sink.listened().into_iter().flatten();
        for source in heard.chain(sink.route.iter().copied()) {
            if let Some(source) = self.sources.get_mut(&source) {
                source.listeners.retain(|other| *other != id);
                source.routed.retain(|other| *other != id);
            }
        }
        if let Some(transport) = self.transports.get_mut(&sink.transport) {
            transport.sinks.retain(|(_, other)| *other != id);
        }
        Some(())
    }
}
