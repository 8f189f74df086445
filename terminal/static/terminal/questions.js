// What programs ask of their terminal is answered once: by tmux, or where it has no answer by one of those who look on.
// A second answer would be typed into the program.
export class Questions {
  constructor(parser, isAway = () => false) {
    this.mine = true; // The server says which viewer answers what tmux does not.
    this.answering = false;
    this.isAway = isAway;
    this.leaveToTmux(parser);
    this.answerTheRest(parser);
  }

  leaveToTmux(parser) {
    const swallow = () => true;
    for (const prefix of ["", ">", "="]) parser.registerCsiHandler({ prefix, final: "c" }, swallow);
    for (const prefix of ["", "?"]) parser.registerCsiHandler({ prefix, final: "n" }, swallow);
    parser.registerCsiHandler({ prefix: ">", final: "q" }, swallow);
  }

  answerTheRest(parser) {
    for (const number of [10, 11, 12])
      parser.registerOscHandler(
        number,
        this.one((data) => data.includes("?")),
      );
    parser.registerOscHandler(
      4,
      this.one((data) => data.endsWith("?")),
    );
    for (const prefix of ["", "?"])
      parser.registerCsiHandler(
        { prefix, intermediates: "$", final: "p" },
        this.one(() => true),
      );
    parser.registerDcsHandler(
      { intermediates: "$", final: "q" },
      this.one(() => true),
    );
  }

  // What xterm.js sends while it handles the sequence is its answer, not what a person types. A page that nobody
  // sees runs late: its answer would come when the program waits no longer.
  one(asks) {
    return (data) => {
      if (!asks(data)) return false;
      if (!this.mine || this.isAway()) return true;
      this.answering = true;
      queueMicrotask(() => (this.answering = false));
      return false;
    };
  }
}
