// Queries that programs send to their terminal must be answered once: by tmux, or by one viewer if tmux does not. The
// program would take a second answer for typed input.
export class Questions {
  constructor(parser, isHidden = () => false) {
    this.isResponder = true; // The server decides which viewer answers the queries that tmux does not.
    this.answering = false;
    this.isHidden = isHidden;
    this.ignoreAnsweredByTmux(parser);
    this.handleOthers(parser);
  }

  ignoreAnsweredByTmux(parser) {
    const ignore = () => true;
    for (const prefix of ["", ">", "="]) parser.registerCsiHandler({ prefix, final: "c" }, ignore);
    for (const prefix of ["", "?"]) parser.registerCsiHandler({ prefix, final: "n" }, ignore);
    parser.registerCsiHandler({ prefix: ">", final: "q" }, ignore);
  }

  handleOthers(parser) {
    for (const number of [10, 11, 12])
      parser.registerOscHandler(
        number,
        this.handlerFor((data) => data.includes("?")),
      );
    parser.registerOscHandler(
      4,
      this.handlerFor((data) => data.endsWith("?")),
    );
    for (const prefix of ["", "?"])
      parser.registerCsiHandler(
        { prefix, intermediates: "$", final: "p" },
        this.handlerFor(() => true),
      );
    parser.registerDcsHandler(
      { intermediates: "$", final: "q" },
      this.handlerFor(() => true),
    );
  }

  // Input that xterm.js sends while it handles the sequence is its answer, not typed by the user. Background tabs are
  // throttled, and their answer would come too late, so they do not answer.
  handlerFor(isQuery) {
    return (data) => {
      if (!isQuery(data)) return false;
      if (!this.isResponder || this.isHidden()) return true;
      this.answering = true;
      queueMicrotask(() => (this.answering = false));
      return false;
    };
  }
}
