//! What one publishes, the others get: decrypted once, rewritten and encrypted for each.

use _dataplane::core::{Event, Kind, Profile};

use crate::world::camera::Camera;
use crate::world::microphone::Microphone;
use crate::world::{World, ms};

#[test]
fn a_subscriber_sees_and_hears_a_publisher_under_every_profile() {
    for profile in [
        Profile::AeadAes128Gcm,
        Profile::AeadAes256Gcm,
        Profile::Aes128CmSha1_80,
    ] {
        let mut world = World::with_profile(1, profile);
        let room = world.room();
        let (ann, bob) = (world.join(room), world.join(room));
        let camera = world.publish(ann, Camera::new(100));
        let voice = world.speak(ann, Microphone::new(200));
        let (video, audio) = (world.slot(bob, Kind::Video), world.slot(bob, Kind::Audio));
        world.route(video, &[camera]);
        world.route(audio, &[voice]);
        world.run(ms(2000));
        let watched = world.viewer(bob, video).watch();
        assert!(
            watched.pictures.len() >= 58,
            "{} under {profile:?}",
            watched.pictures.len()
        );
        assert!(world.viewer(bob, audio).packets.len() >= 98);
        assert!(world.viewer(bob, video).holes().is_empty());
        let switched = world.happened(|event| match event {
            Event::SinkSwitched { sink, source } => Some((*sink, *source)),
            _ => None,
        });
        assert_eq!(switched, [(video, Some(camera)), (audio, Some(voice))]);
    }
}
