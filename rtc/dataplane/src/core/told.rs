//! What a packet's header extensions tell, read in one pass.

use super::extension_ids::{IncomingIds, keep, tag};
use crate::wire::extensions::{
    AudioLevel, ExtensionKind, Extensions, audio_level, name, transport_sequence,
};

/// Borrowed from the packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told<'a> {
    pub mid: Option<&'a str>,
    pub rid: Option<&'a str>,
    pub repaired_rid: Option<&'a str>,
    pub transport_sequence: Option<u16>,
    pub level: Option<AudioLevel>,
    pub descriptor: Option<&'a [u8]>,
    pub layers: Option<&'a [u8]>,
}

impl<'a> Told<'a> {
    /// What is to be passed on is appended to `kept`.
    pub fn read(extensions: Extensions<'a>, ids: &IncomingIds, kept: &mut Vec<u8>) -> Self {
        let mut told = Self::default();
        for (id, value) in extensions {
            let kind = ids.kind(id);
            match kind {
                ExtensionKind::Mid => told.mid = name(value),
                ExtensionKind::Rid => told.rid = name(value),
                ExtensionKind::RepairedRid => told.repaired_rid = name(value),
                ExtensionKind::TransportSequence => {
                    told.transport_sequence = transport_sequence(value);
                }
                ExtensionKind::AudioLevel => told.level = audio_level(value),
                ExtensionKind::DependencyDescriptor => told.descriptor = Some(value),
                ExtensionKind::VideoLayersAllocation => told.layers = Some(value),
                _ => {}
            }
            if let Some(tag) = tag(kind) {
                keep(kept, tag, value);
            }
        }
        told
    }
}
