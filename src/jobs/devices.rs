//! Devices to compute on and to capture from.

use models::compute;

use super::Desk;
use crate::state::{CaptureDevice, Event};

/// Lists devices to compute on, then tries each.
pub fn probe(desk: &Desk) {
    let devices = compute::devices();
    desk.tell(Event::Devices(devices.clone()));
    for (device_idx, device) in devices.iter().enumerate() {
        if !desk.keep_going() {
            return;
        }
        let outcome = match compute::probe(&device.id) {
            Ok(report) if report.gflops < 10.0 => Ok(format!("works, {:.1} GFLOPS", report.gflops)),
            Ok(report) => Ok(format!("works, {:.0} GFLOPS", report.gflops)),
            Err(error) => Err(error.to_string()),
        };
        desk.tell(Event::Probed { device_idx, outcome });
    }
}

/// Lists cameras and microphones.
pub fn list_capturing(desk: &Desk) {
    let cameras = media::cameras().into_iter().map(|found| CaptureDevice { id: found.id, name: found.name }).collect();
    let microphones =
        media::microphones().into_iter().map(|found| CaptureDevice { id: found.id, name: found.name }).collect();
    desk.tell(Event::CaptureDevices { cameras, microphones });
}
