"""What a study is: frozen records, their YAML files with lines for errors, and names looked up in the manifests."""
