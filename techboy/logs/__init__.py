"""Where what was said in a room is kept. `techboy.logs.contract` says what a log promises."""
