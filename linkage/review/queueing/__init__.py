"""From a run to the queue: its cases, what they are worth, who reads them, and the store brought up to date."""
