"""Runs at the start of each Python process under `stepline run`, before the script.

Whatever sitecustomize the environment has of its own runs first, and nothing here may keep the script from running.
"""


def _environments_own() -> None:
    import importlib.machinery
    import importlib.util
    import os
    import sys

    here = os.path.dirname(os.path.abspath(__file__))
    elsewhere = [place for place in sys.path if os.path.abspath(place or os.getcwd()) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", elsewhere)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def _stepline() -> None:
    import os

    from stepline.recording import hook

    task = os.environ.get("STEPLINE_TASK")
    hook.offer_reporting()
    hook.attach_to_trainers(**({"task": task} if task else {}))


try:
    _environments_own()
finally:
    try:
        _stepline()
    except Exception as error:
        import sys

        print(f"Stepline does not watch this process: {error!r}. The script runs as without it.", file=sys.stderr)
