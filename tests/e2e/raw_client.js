// A client of docs/protocol.md written for the tests alone: it shares no line with the SDK, so that the two cannot
// agree on a mistake. It runs inside a Chromium page as `window.RawClient`.
(() => {
  // Server port -> port of the test's UDP proxy; `drop` removes candidates of that transport instead.
  const impairment = { udpPort: null, tcpOnly: false };

  function throughProxy(sdp) {
    return sdp
      .split("\r\n")
      .filter((line) => !(impairment.tcpOnly && /^a=candidate:\S+ \d+ udp/i.test(line)))
      .map((line) => {
        const parts = line.split(" ");
        if (impairment.udpPort && line.startsWith("a=candidate:")) {
          if (parts[2].toLowerCase() !== "udp") return null; // only the impaired road is open
          parts[4] = "127.0.0.1";
          parts[5] = String(impairment.udpPort);
          return parts.join(" ");
        }
        return line;
      })
      .filter((line) => line !== null)
      .join("\r\n");
  }

  /** A picture of one colour with a moving bar, so that a test can see whose picture is shown and that it moves. */
  function colourTrack(colour, width, height, fps) {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    let frame = 0;
    const draw = () => {
      context.fillStyle = colour;
      context.fillRect(0, 0, width, height);
      context.fillStyle = "white";
      context.fillRect((frame * 7) % width, 0, 8, height / 8);
      frame += 1;
    };
    draw();
    const timer = setInterval(draw, 1000 / fps);
    const track = canvas.captureStream(fps).getVideoTracks()[0];
    track.addEventListener("ended", () => clearInterval(timer));
    return track;
  }

  function toneTrack(frequency) {
    const context = new AudioContext();
    const oscillator = context.createOscillator();
    oscillator.frequency.value = frequency;
    const gain = context.createGain();
    gain.gain.value = 0.3;
    const destination = context.createMediaStreamDestination();
    oscillator.connect(gain).connect(destination);
    oscillator.start();
    return destination.stream.getAudioTracks()[0];
  }

  class RawClient {
    constructor() {
      this.events = [];
      this.waiting = new Map();
      this.nextId = 1;
      this.pc = null;
      this.tracks = {}; // mid -> track info of media.offer
      this.frames = {}; // mid -> presentation times in ms
      this.videos = {};
      this.closed = null;
      this.offers = 0;
    }

    async connect(url, token) {
      this.url = url;
      this.token = token;
      this.closed = null;
      this.ws = new WebSocket(url, ["hubbub.v1", `bearer.${token}`]);
      this.ws.onmessage = ({ data }) => this.receive(JSON.parse(data));
      this.ws.onclose = ({ code, reason }) => {
        this.closed = { code, reason };
        for (const { reject } of this.waiting.values()) reject(new Error(`closed ${code}`));
        this.waiting.clear();
      };
      await new Promise((resolve, reject) => {
        this.ws.onopen = resolve;
        this.ws.onerror = () => reject(new Error("the socket did not open"));
      });
    }

    receive(message) {
      if (!("re" in message)) {
        this.events.push({ ...message, received_ms: performance.now() });
        return;
      }
      const { resolve, reject } = this.waiting.get(message.re);
      this.waiting.delete(message.re);
      if (message.error) reject(new Error(`${message.error.code}: ${message.error.message}`));
      else resolve(message);
    }

    request(type, fields = {}) {
      const id = this.nextId++;
      this.ws.send(JSON.stringify({ id, type, ...fields }));
      return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    }

    async join(room, fields = {}) {
      this.joined = await this.request("join", { room, ...fields });
      return this.joined;
    }

    createPeerConnection(configuration = {}) {
      this.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle", ...configuration });
      this.pc.ontrack = ({ track, transceiver }) => this.show(track, transceiver);
    }

    show(track, transceiver) {
      const element = document.createElement(track.kind === "video" ? "video" : "audio");
      element.autoplay = true;
      element.muted = track.kind === "video";
      element.srcObject = new MediaStream([track]);
      document.body.append(element);
      void element.play();
      if (track.kind !== "video") return;
      const mid = transceiver.mid;
      this.videos[mid] = element;
      this.frames[mid] = [];
      const onFrame = (now, metadata) => {
        this.frames[mid].push({ at: now, width: metadata.width, height: metadata.height });
        element.requestVideoFrameCallback(onFrame);
      };
      element.requestVideoFrameCallback(onFrame);
    }

    async publish({ colour, tone, width = 320, height = 240, fps = 15, simulcast = false, codec = null }) {
      if (!this.pc) this.createPeerConnection();
      if (tone) {
        const audio = this.pc.addTransceiver(toneTrack(tone), { direction: "sendonly" });
        this.pending = [...(this.pending ?? []), [audio, { source: "microphone" }]];
      }
      if (colour) {
        const encodings = simulcast
          ? [
              { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 150000 },
              { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 400000 },
              { rid: "f", maxBitrate: 1200000 },
            ]
          : [{}];
        const video = this.pc.addTransceiver(colourTrack(colour, width, height, fps), {
          direction: "sendonly",
          sendEncodings: encodings,
        });
        if (codec) {
          const wanted = RTCRtpSender.getCapabilities("video").codecs;
          video.setCodecPreferences([
            ...wanted.filter(({ mimeType }) => mimeType.toLowerCase() === `video/${codec}`),
            ...wanted.filter(({ mimeType }) => mimeType.toLowerCase() === "video/rtx"),
          ]);
        }
        this.pending = [...(this.pending ?? []), [video, { source: "camera" }]];
      }
    }

    addSlots(audio, video) {
      if (!this.pc) this.createPeerConnection();
      for (let k = 0; k < audio; k += 1) this.pc.addTransceiver("audio", { direction: "recvonly" });
      for (let k = 0; k < video; k += 1) this.pc.addTransceiver("video", { direction: "recvonly" });
    }

    async offer(options = {}) {
      this.offers += 1;
      const offer = await this.pc.createOffer(options);
      await this.pc.setLocalDescription(offer);
      for (const [transceiver, info] of this.pending ?? []) this.tracks[transceiver.mid] = info;
      this.pending = [];
      const answer = await this.request("media.offer", { sdp: offer.sdp, tracks: this.tracks });
      await this.pc.setRemoteDescription({ type: "answer", sdp: throughProxy(answer.sdp) });
      this.answer = answer;
      return answer;
    }

    async stats() {
      const report = [];
      for (const [, value] of await this.pc.getStats()) report.push({ ...value });
      return report;
    }

    async inbound() {
      return (await this.stats()).filter(({ type }) => type === "inbound-rtp");
    }

    async selectedPair() {
      const report = new Map((await this.stats()).map((entry) => [entry.id, entry]));
      const transport = [...report.values()].find(({ type }) => type === "transport");
      const pair = report.get(transport?.selectedCandidatePairId);
      return pair && { local: report.get(pair.localCandidateId), remote: report.get(pair.remoteCandidateId) };
    }

    /** The mean colour in the lower half of what a slot shows, as [r, g, b]. */
    colourOf(mid) {
      const canvas = document.createElement("canvas");
      canvas.width = 8;
      canvas.height = 8;
      const context = canvas.getContext("2d");
      context.drawImage(this.videos[mid], 0, 0, 8, 8);
      return [...context.getImageData(4, 6, 1, 1).data.slice(0, 3)];
    }

    /** Longest time in ms between two presented frames of a slot since `since` (performance.now()). */
    longestGap(mid, since) {
      const times = this.frames[mid].map(({ at }) => at).filter((at) => at >= since);
      let longest = 0;
      for (let k = 1; k < times.length; k += 1) longest = Math.max(longest, times[k] - times[k - 1]);
      return longest;
    }

    eventsOf(type) {
      return this.events.filter((event) => event.type === type);
    }

    /** Cut the signaling socket as a lost network would: without a word to the server. */
    dropSocket() {
      this.ws.close(3999, "dropped by the test");
    }
  }

  window.RawClient = RawClient;
  window.impairment = impairment;
})();
