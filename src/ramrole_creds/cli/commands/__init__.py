"""One module per subcommand: its options and its help. What a subcommand does with them is in a module beside."""
