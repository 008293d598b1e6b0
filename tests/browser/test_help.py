"""What the page says to read its charts by: each statement of the seed, in both languages, where a person opens it."""

from __future__ import annotations

import pytest

from stepline.home import Home
from tests.browser import homes

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make setup").expect

# By chart: rows of the table (label, what it says in short), then the reading tips.
CHARTS = {
    "en": {
        "loss": (
            [("Meaning", "predicts and the true labels"), ("Ideal trend", "levels off"),
             ("When it is wrong", "unstable")],
            ["at the beginning is normal", "convergence", "learning rate is too high"],
        ),
        "perplexity": (
            [("Meaning", "next token"), ("Computed as", "exp(loss)"), ("Ideal trend", "together with the loss"),
             ("Reference", "single digits to a few tens")],
            ["exponential of the loss", "10 candidates"],
        ),
        "grad_norm": (
            [("Meaning", "L2 norm"), ("Ideal trend", "without extreme values"),
             ("When it is wrong", "lower the learning rate")],
            ["above 100", "vanishing gradients"],
        ),
        "learning_rate": (
            [("Meaning", "optimizer"), ("Ideal trend", "as the schedule says"), ("Common shapes", "cosine")],
            ["warm-up", "falls step by step", "lr_scheduler_type"],
        ),
        "eval_loss": (
            [("Meaning", "evaluation set"), ("Needs", "evaluation data"), ("Ideal trend", "too wide a gap")],
            ["overfitting", "regularization", "best checkpoint"],
        ),
        "samples_per_second": (
            [("Meaning", "Samples processed a second"), ("Ideal trend", "steady"),
             ("When it is wrong", "I/O bottleneck")],
            ["batch size and sequence length", "while a checkpoint is saved", "how the data is loaded"],
        ),
    },
    "zh": {
        "loss": (
            [("含义", "真实标签之间的差距"), ("理想趋势", "最终趋于平稳"), ("异常情况", "训练不稳定")],
            ["初期快速下降", "收敛现象", "学习率过大"],
        ),
        "perplexity": (
            [("含义", "下一个 token"), ("计算方式", "exp(loss)"), ("理想趋势", "与损失同步下降"),
             ("参考值", "个位数到几十")],
            ["指数形式", "10 个候选词"],
        ),
        "grad_norm": (
            [("含义", "L2 范数"), ("理想趋势", "不出现极端值"), ("异常情况", "需降低学习率")],
            [">100", "梯度消失"],
        ),
        "learning_rate": (
            [("含义", "优化器"), ("理想趋势", "调度策略平滑变化"), ("常见形态", "余弦衰减")],
            ["预热阶段", "按策略逐渐下降", "lr_scheduler_type"],
        ),
        "eval_loss": (
            [("含义", "评估集上"), ("前提条件", "评估数据"), ("理想趋势", "差距不过大")],
            ["过拟合", "正则化参数", "最佳检查点"],
        ),
        "samples_per_second": (
            [("含义", "每秒处理的样本数"), ("理想趋势", "保持稳定"), ("异常情况", "I/O 瓶颈")],
            ["批次大小、序列长度", "保存检查点时速度会短暂下降", "数据加载配置"],
        ),
    },
}  # fmt: skip
TIPS = {"en": "Reading tips", "zh": "分析技巧"}

SHEET = {
    "en": [
        "Watch the loss curve", "falls steadily", "swings wildly",
        "Watch the evaluation loss", "together with the training loss", "stopping early",
        "Check the gradient norm", "healthy training", "check the data or lower the learning rate",
        "Raise logging_steps", "Lower logging_steps", "Fold the charts",
        "watched live", "shown for review", "by itself",
        "10, 20, 30, then 10, 20, 30, 40", "4,000 points", "EMA and MA", "training_logs",
        "Choose a task", "Follow the newest point", "Zoom back", "Move the crosshair",
    ],
    "zh": [
        "关注损失曲线", "稳步下降后趋于平稳", "剧烈震荡或持续上升",
        "观察评估损失", "与训练损失同步下降", "早停",
        "检查梯度范数", "训练健康", "检查数据或降低学习率",
        "增大 logging_steps", "减小 logging_steps", "折叠不常用的图表面板",
        "实时监控", "历史回顾", "自动切换",
        "10、20、30，再 10、20、30、40", "4,000 个点", "EMA 与 MA", "training_logs",
        "选择任务", "跟随最新的点", "缩放还原", "移动十字线",
    ],
}  # fmt: skip

pytestmark = pytest.mark.parametrize("language", ["en", "zh"])


def test_every_chart_explains_itself(home: Home, open_page, language: str):
    homes.seeds_example(home)
    page = open_page(language)
    expect(page.get_by_test_id("chart-loss")).to_be_visible()
    page.keyboard.press("o")
    for metric, (rows, tips) in CHARTS[language].items():
        page.get_by_test_id(f"help-{metric}").click()
        told = page.get_by_test_id("chart-help")
        expect(told.locator("dt")).to_have_text([label for label, _ in rows])
        for place, (_, words) in enumerate(rows):
            expect(told.locator("dd").nth(place)).to_contain_text(words)
        expect(told.get_by_role("heading", name=TIPS[language])).to_be_visible()
        expect(told.get_by_role("listitem")).to_have_count(len(tips))
        for place, words in enumerate(tips):
            expect(told.get_by_role("listitem").nth(place)).to_contain_text(words)
        page.keyboard.press("Escape")
        expect(told).to_have_count(0)


def test_the_sheet_holds_the_seeds_advice_and_the_keys(home: Home, open_page, language: str):
    homes.seeds_example(home)
    page = open_page(language)
    expect(page.get_by_test_id("chart-loss")).to_be_visible()
    page.keyboard.press("?")
    for words in SHEET[language]:
        expect(page.get_by_test_id("help-sheet")).to_contain_text(words)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("help-sheet")).to_have_count(0)


def test_keys_work_while_a_hint_is_shown(home: Home, open_page, language: str):
    homes.long(home, 40)
    page = open_page(language)
    expect(page.get_by_test_id("chart-loss")).to_be_visible()
    page.get_by_test_id("fit").hover()
    hint = page.locator(".hint").first
    expect(hint).to_be_visible()
    expect(page.locator(".small-chart")).to_have_count(0)
    page.keyboard.press("o")
    expect(page.get_by_test_id("chart-grad_norm")).to_be_visible()
    # Where somebody is in what floats, the keys are that place's own.
    page.keyboard.press("t")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("2")
    expect(page.locator(".task-row")).to_have_count(0)
