namespace Aries.Core.Tests;

public class TrainingLogTests
{
    [Fact]
    public void Read_JsonLine_IsProgress()
    {
        TrainingProgress progress = new TrainingLog().Read("""  {"step": 3, "step_count": 10, "loss": 0.6931, "rewards/accuracies": 1, "grad_norm": 1e-05} """)!;

        Assert.Equal((3, 10), (progress.Step, progress.StepCount));
        Assert.Equal([("grad_norm", 1e-05), ("loss", 0.6931), ("rewards/accuracies", 1)], progress.Metrics.OrderBy(metric => metric.Key, StringComparer.Ordinal).Select(metric => (metric.Key, metric.Value)));
    }

    // As the trainers of transformers print, between the redrawn lines of a progress bar; newer versions print the numbers as texts.
    [Theory]
    [InlineData("{'loss': 0.6931, 'grad_norm': nan, 'learning_rate': 5e-07, 'epoch': 0.12}")]
    [InlineData("{'loss': '0.6931', 'grad_norm': 'nan', 'learning_rate': '5e-07', 'epoch': '0.12'}")]
    public void Read_PythonDictionaryAfterABar_TakesTheBarsStep(string line)
    {
        TrainingLog log = new();

        TrainingProgress? bar = log.Read(" 12%|█▎        | 12/100 [00:10<01:13,  1.20it/s]");
        TrainingProgress progress = log.Read(line)!;

        Assert.Null(bar);
        Assert.Equal((12, 100), (progress.Step, progress.StepCount));
        Assert.Equal(0.6931, progress.Metrics["loss"]);
        Assert.Equal(5e-07, progress.Metrics["learning_rate"]);
        Assert.True(double.IsNaN(progress.Metrics["grad_norm"]));
        Assert.Equal(12, log.Step);
    }

    [Fact]
    public void Read_BarWithValues_IsProgress()
    {
        TrainingProgress progress = new TrainingLog().Read("Train step of epoch: 3%|▎ | 3/100 [00:01<00:32, 2.99it/s, loss=0.69, acc=0.5, lr=5e-07]")!;

        Assert.Equal((3, 100), (progress.Step, progress.StepCount));
        Assert.Equal([("acc", 0.5), ("loss", 0.69), ("lr", 5e-07)], progress.Metrics.OrderBy(metric => metric.Key, StringComparer.Ordinal).Select(metric => (metric.Key, metric.Value)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("loss is 0.5 at 3/100")]
    [InlineData("{not a dictionary}")]
    [InlineData("{\"loss\": 0.5}")]
    [InlineData("Map: 100%|████| 64/64 [00:00<00:00, 900.00 examples/s]")]
    public void Read_OtherLines_AreOnlyLog(string line) => Assert.Null(new TrainingLog().Read(line));

    [Fact]
    public void Metrics_SeveralLines_AreMeansAndOfRunningCountsTheLast()
    {
        TrainingLog log = new();
        log.Read("""{"step": 1, "loss": 0.5, "num_tokens": 100}""");
        log.Read("""{"step": 2, "loss": 0.25, "num_tokens": 220}""");

        Assert.Equal(0.375, log.Metrics["loss"]);
        Assert.Equal(220, log.Metrics["num_tokens"]);
    }
}
