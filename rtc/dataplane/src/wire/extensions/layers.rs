//! The video-layers-allocation extension (00): which simulcast and spatial layers a publisher sends now.

use crate::wire::cursor::Cursor;

/// Streams times spatial layers that the format can express.
const MAX_LAYERS: usize = 16;

/// One active spatial layer of one simulcast stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// Which simulcast stream, in the order of the offer's RIDs.
    pub stream: u8,
    pub spatial: u8,
    /// 1 to 4.
    pub temporal_layers: u8,
    /// Of all its temporal layers together, in kbit/s.
    pub bitrate_kbps: u32,
    /// Pixels and frames per second; absent where only bitrates changed.
    pub size: Option<(u16, u16)>,
    pub fps: Option<u8>,
}

/// What a publisher told last. No layer at all means that it sends nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayersAllocation {
    /// The stream that carried this extension.
    pub stream: u8,
    /// Simulcast streams that there are, active or not: 0 (nothing is sent) to 4.
    pub streams: u8,
    layers: [Layer; MAX_LAYERS],
    count: usize,
}

impl LayersAllocation {
    /// `None` for anything that is cut off or contradicts itself.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(value);
        let head = cursor.u8()?;
        let mut allocation = Self {
            stream: head >> 6,
            streams: ((head >> 4) & 3) + 1,
            layers: [Layer::default(); MAX_LAYERS],
            count: 0,
        };
        if head == 0 && cursor.is_empty() {
            allocation.streams = 0;
            return Some(allocation);
        }
        allocation.take_bitmasks(head & 0x0F, &mut cursor)?;
        allocation.take_temporal_layers(&mut cursor)?;
        allocation.take_bitrates(&mut cursor)?;
        if !cursor.is_empty() {
            allocation.take_sizes(&mut cursor)?;
        }
        Some(allocation)
    }

    pub fn layers(&self) -> &[Layer] {
        &self.layers[..self.count]
    }

    /// Whether this simulcast stream has any active layer.
    pub fn is_active(&self, stream: u8) -> bool {
        self.layers().iter().any(|layer| layer.stream == stream)
    }

    /// Width and height of the largest active layer of a stream.
    pub fn size_of(&self, stream: u8) -> Option<(u16, u16)> {
        let layers = self.layers().iter().filter(|layer| layer.stream == stream);
        layers
            .filter_map(|layer| layer.size)
            .max_by_key(|size| size.1)
    }

    fn active(&mut self) -> &mut [Layer] {
        &mut self.layers[..self.count]
    }

    /// `shared` is the bitmask for all streams, or 0 where each has a nibble of its own.
    fn take_bitmasks(&mut self, shared: u8, cursor: &mut Cursor<'_>) -> Option<()> {
        let mut own = [0; 2];
        if shared == 0 {
            own[0] = cursor.u8()?;
            if self.streams > 2 {
                own[1] = cursor.u8()?;
            }
        }
        for stream in 0..self.streams {
            let byte = own[usize::from(stream / 2)];
            let nibble = if stream % 2 == 0 {
                byte >> 4
            } else {
                byte & 0x0F
            };
            let mask = if shared == 0 { nibble } else { shared };
            self.add_layers(stream, mask);
        }
        Some(())
    }

    fn add_layers(&mut self, stream: u8, mask: u8) {
        for spatial in (0..4).filter(|spatial| mask & (1 << spatial) != 0) {
            self.layers[self.count].stream = stream;
            self.layers[self.count].spatial = spatial;
            self.count += 1;
        }
    }

    /// Two bits for each layer, padded to whole bytes.
    fn take_temporal_layers(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        for four in self.active().chunks_mut(4) {
            let byte = cursor.u8()?;
            for (layer, shift) in four.iter_mut().zip([6, 4, 2, 0]) {
                layer.temporal_layers = ((byte >> shift) & 3) + 1;
            }
        }
        Some(())
    }

    /// Each temporal layer's figure includes those below it, so that the last one counts.
    fn take_bitrates(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        for layer in self.active() {
            for _ in 0..layer.temporal_layers {
                layer.bitrate_kbps = leb128(cursor)?;
            }
        }
        Some(())
    }

    fn take_sizes(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        for layer in self.active() {
            let width = cursor.u16()?.saturating_add(1);
            let height = cursor.u16()?.saturating_add(1);
            layer.size = Some((width, height));
            layer.fps = Some(cursor.u8()?);
        }
        Some(())
    }
}

/// Little-endian groups of seven bits; more than five bytes are nonsense for a bitrate.
fn leb128(cursor: &mut Cursor<'_>) -> Option<u32> {
    let mut value = 0u64;
    for shift in [0, 7, 14, 21, 28] {
        let byte = cursor.u8()?;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(value).ok();
        }
    }
    None
}
