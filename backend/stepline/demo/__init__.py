"""The demo: a real training of a small language model, on text that comes with it, without a network.

`logbook.txt` was written for Stepline: a short tale and a year of a mountain station's entries, in English and in
Chinese. It stands under the project's own licence. torch and transformers are imported by `training` alone, and only
when the training starts.
"""
