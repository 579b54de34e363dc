//! The dependency descriptor header extension (AV1 RTP specification, appendix A): layers of a picture that the relay
//! can read although the payload may be encrypted.

use super::bits::Bits;
use super::{FrameInfo, Size};

/// Bounds of the format: six bits of template id, five of decode targets.
const MAX_TEMPLATES: usize = 64;
const MAX_TARGETS: usize = 32;
/// Bytes of a descriptor without any of the extended fields.
const MANDATORY: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorError {
    /// The peer's: it ends inside a field.
    #[error("the descriptor is truncated")]
    Truncated,
    /// The peer's, or a structure was lost: the template is not of the current structure.
    #[error("the descriptor names an unknown template")]
    UnknownTemplate,
    /// The peer's: more templates or layers than the format has room for.
    #[error("the structure exceeds the bounds of the format")]
    OutOfBounds,
}

/// What a decode target gets of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indication {
    NotPresent,
    Discardable,
    Switch,
    Required,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Template {
    spatial: u8,
    temporal: u8,
    /// Two bits for each decode target.
    indications: u64,
}

/// A template dependency structure: sent with keyframes, kept by the caller, needed for the descriptors that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    template_id_offset: u8,
    targets: u8,
    chains: u8,
    templates: Vec<Template>,
    /// Sizes by spatial layer, lowest first; empty where they were not sent.
    pub sizes: Vec<Size>,
}

/// One packet's descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    pub start: bool,
    pub end: bool,
    pub frame_number: u16,
    pub spatial: u8,
    pub temporal: u8,
    /// A new structure comes with it: from here on nothing older is needed.
    pub structure: Option<Box<Structure>>,
    /// A bit for each decode target that is still produced; `None`: as before.
    pub active_targets: Option<u32>,
    indications: u64,
}

impl Structure {
    pub fn targets(&self) -> u8 {
        self.targets
    }

    /// The highest spatial and temporal layer that a decode target includes; `None` for a target that has none.
    pub fn layers_of(&self, target: u8) -> Option<(u8, u8)> {
        let included = self
            .templates
            .iter()
            .filter(|template| indication(template.indications, target) != Indication::NotPresent);
        included
            .map(|template| (template.spatial, template.temporal))
            .reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)))
    }
}

impl Descriptor {
    pub fn indication(&self, target: u8) -> Indication {
        indication(self.indications, target)
    }

    pub(super) fn describe(&self, info: &mut FrameInfo) {
        info.start = self.start && self.spatial == 0;
        info.temporal = self.temporal;
        info.spatial = self.spatial;
        info.keyframe = info.start && self.structure.is_some();
        if let Some(structure) = &self.structure {
            info.size = structure.sizes.last().copied().or(info.size);
        }
    }
}

fn indication(packed: u64, target: u8) -> Indication {
    match packed >> (2 * u32::from(target & 31)) & 3 {
        0 => Indication::NotPresent,
        1 => Indication::Discardable,
        2 => Indication::Switch,
        _ => Indication::Required,
    }
}

/// Read a descriptor with the structure that is current, or with the one that it brings.
///
/// # Errors
/// A descriptor that cannot be understood is no reason to drop its packet: forward it unseen.
pub fn parse(bytes: &[u8], current: Option<&Structure>) -> Result<Descriptor, DescriptorError> {
    let mut bits = Bits::new(bytes);
    let mut descriptor = Descriptor {
        start: flag(&mut bits)?,
        end: flag(&mut bits)?,
        frame_number: 0,
        spatial: 0,
        temporal: 0,
        structure: None,
        active_targets: None,
        indications: 0,
    };
    let template_id = number(&mut bits, 6)? as u8;
    descriptor.frame_number = number(&mut bits, 16)? as u16;
    let mut custom = Custom::default();
    if bytes.len() > MANDATORY {
        custom = extended_fields(&mut bits, &mut descriptor, current)?;
    }
    let attached = descriptor.structure.take();
    let structure = attached.as_deref().or(current);
    let structure = structure.ok_or(DescriptorError::UnknownTemplate)?;
    let template = template_of(structure, template_id)?;
    descriptor.spatial = template.spatial;
    descriptor.temporal = template.temporal;
    descriptor.indications = template.indications;
    if custom.indications {
        descriptor.indications = indications(&mut bits, structure.targets)?;
    }
    // Frame differences and chains are of no use to a relay that forwards layers; they only have to be whole.
    if custom.frame_differences {
        skip_frame_differences(&mut bits)?;
    }
    if custom.chains {
        let width = 8 * u32::from(structure.chains);
        bits.skip(width).ok_or(DescriptorError::Truncated)?;
    }
    descriptor.structure = attached;
    Ok(descriptor)
}

#[derive(Default)]
struct Custom {
    indications: bool,
    frame_differences: bool,
    chains: bool,
}

fn extended_fields(
    bits: &mut Bits<'_>,
    descriptor: &mut Descriptor,
    current: Option<&Structure>,
) -> Result<Custom, DescriptorError> {
    let has_structure = flag(bits)?;
    let has_active_targets = flag(bits)?;
    let custom = Custom {
        indications: flag(bits)?,
        frame_differences: flag(bits)?,
        chains: flag(bits)?,
    };
    if has_structure {
        let structure = parse_structure(bits)?;
        descriptor.active_targets = Some(u32::MAX >> (32 - u32::from(structure.targets)));
        descriptor.structure = Some(Box::new(structure));
    }
    if has_active_targets {
        let structure = descriptor.structure.as_deref().or(current);
        let targets = structure.ok_or(DescriptorError::UnknownTemplate)?.targets;
        descriptor.active_targets = Some(number(bits, u32::from(targets))?);
    }
    Ok(custom)
}

fn template_of(structure: &Structure, id: u8) -> Result<Template, DescriptorError> {
    let index = (id + 64 - structure.template_id_offset) % 64;
    let template = structure.templates.get(usize::from(index));
    template.copied().ok_or(DescriptorError::UnknownTemplate)
}

fn parse_structure(bits: &mut Bits<'_>) -> Result<Structure, DescriptorError> {
    let template_id_offset = number(bits, 6)? as u8;
    let targets = number(bits, 5)? as u8 + 1;
    debug_assert!(usize::from(targets) <= MAX_TARGETS);
    let mut templates = template_layers(bits)?;
    for template in &mut templates {
        template.indications = indications(bits, targets)?;
    }
    for _ in &templates {
        while flag(bits)? {
            number(bits, 4)?; // fdiff_minus_one
        }
    }
    let chains = template_chains(bits, targets, templates.len())?;
    let sizes = if flag(bits)? {
        let highest = templates.last().map_or(0, |template| template.spatial);
        (0..=highest)
            .map(|_| size(bits))
            .collect::<Result<_, _>>()?
    } else {
        Vec::new()
    };
    Ok(Structure {
        template_id_offset,
        targets,
        chains,
        templates,
        sizes,
    })
}

fn template_layers(bits: &mut Bits<'_>) -> Result<Vec<Template>, DescriptorError> {
    let mut templates = Vec::new();
    let (mut spatial, mut temporal) = (0u8, 0u8);
    loop {
        if templates.len() == MAX_TEMPLATES {
            return Err(DescriptorError::OutOfBounds);
        }
        templates.push(Template {
            spatial,
            temporal,
            indications: 0,
        });
        match number(bits, 2)? {
            0 => {}
            1 => temporal += 1,
            2 => (spatial, temporal) = (spatial + 1, 0),
            _ => break,
        }
        // Three bits of temporal and two of spatial id.
        if temporal > 7 || spatial > 3 {
            return Err(DescriptorError::OutOfBounds);
        }
    }
    Ok(templates)
}

fn indications(bits: &mut Bits<'_>, targets: u8) -> Result<u64, DescriptorError> {
    let mut packed = 0u64;
    for target in 0..u32::from(targets) {
        packed |= u64::from(number(bits, 2)?) << (2 * target);
    }
    Ok(packed)
}

/// How many chains there are; which targets they protect is not needed here.
fn template_chains(
    bits: &mut Bits<'_>,
    targets: u8,
    templates: usize,
) -> Result<u8, DescriptorError> {
    let chains = below(bits, u32::from(targets) + 1)?;
    if chains == 0 {
        return Ok(0);
    }
    for _ in 0..targets {
        below(bits, chains)?; // decode_target_protected_by
    }
    for _ in 0..templates as u32 * chains {
        number(bits, 4)?; // template_chain_fdiff
    }
    Ok(chains as u8)
}

fn size(bits: &mut Bits<'_>) -> Result<Size, DescriptorError> {
    // 65,536 does not fit and is no picture that anybody sends.
    let width = (number(bits, 16)? as u16).saturating_add(1);
    let height = (number(bits, 16)? as u16).saturating_add(1);
    Ok(Size { width, height })
}

fn skip_frame_differences(bits: &mut Bits<'_>) -> Result<(), DescriptorError> {
    loop {
        match number(bits, 2)? {
            0 => return Ok(()),
            nibbles => number(bits, 4 * nibbles)?,
        };
    }
}

fn flag(bits: &mut Bits<'_>) -> Result<bool, DescriptorError> {
    bits.bit().ok_or(DescriptorError::Truncated)
}

fn number(bits: &mut Bits<'_>, count: u32) -> Result<u32, DescriptorError> {
    bits.take(count).ok_or(DescriptorError::Truncated)
}

fn below(bits: &mut Bits<'_>, range: u32) -> Result<u32, DescriptorError> {
    bits.below(range).ok_or(DescriptorError::Truncated)
}
