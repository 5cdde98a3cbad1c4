using Aries.Conformance;

namespace Aries.OnnxRuntime.Tests;

public sealed class OnnxRewardScorerConformanceTests(ExportedModels models) : RewardScorerConformance<OnnxRewardScorer>
{
    protected override IReadOnlyList<ScoringRequest> Requests =>
        [new("Tell a story.", "Once upon a time."), new("Tell a story.", "No."), new("Who is Tom?", "Tom is a boy who likes to play.")];

    protected override OnnxRewardScorer CreateScorer()
    {
        string folder = models.NewPath();
        new SmallRewardModel(1).Write(folder);

        // One row a pass: then a score is the same to the last bit whatever else is in the batch.
        return OnnxRewardScorer.Load(folder, new OnnxRewardOptions { MaxBatchSize = 1, ThreadCount = 1 });
    }
}

public sealed class OnnxRewardScorerTests(ExportedModels models)
{
    private static readonly ITextTokenizer Tokenizer = TokenizerFolder.Load(ExportedModels.StoriesSource);

    private static readonly ScoringRequest[] Requests =
    [
        new("Tell a story.", "Once upon a time, there was a little girl named Lily."),
        new("Tell a story.", "No."),
        new("Who is Tom?", "Tom is a boy who likes to play in the park with his dog."),
        new("Why?", ""),
    ];

    [Theory]
    [InlineData(1, null, 1)]
    [InlineData(1, null, 3)]
    [InlineData(3, 2, 16)]
    public async Task ScoreAsync_Batches_EqualTheReference(int classCount, int? classIndex, int batchSize)
    {
        SmallRewardModel model = new(classCount);
        using OnnxRewardScorer scorer = Load(model, new OnnxRewardOptions { ClassIndex = classIndex, MaxBatchSize = batchSize, PairTemplate = "Q: {prompt}\nA: {response}" });

        IReadOnlyList<RewardScore> scores = await scorer.ScoreAsync(Requests, TestContext.Current.CancellationToken);

        for (int index = 0; index < Requests.Length; index++)
        {
            Assert.Equal(model.Score(Encode(Requests[index]), classIndex ?? 0), scores[index].Value, 1e-5);
        }
    }

    // Half precision keeps 11 bits of a score below 1: an error of up to 2⁻¹².
    [Fact]
    public async Task ScoreAsync_HalfPrecisionOutput_EqualsTheReferenceRounded()
    {
        SmallRewardModel model = new(1);
        string folder = models.NewPath();
        model.Write(folder, isHalf: true);
        using OnnxRewardScorer scorer = OnnxRewardScorer.Load(folder, new OnnxRewardOptions { PairTemplate = "Q: {prompt}\nA: {response}" });

        IReadOnlyList<RewardScore> scores = await scorer.ScoreAsync(Requests, TestContext.Current.CancellationToken);

        Assert.All(Requests.Zip(scores), pair => Assert.Equal(model.Score(Encode(pair.First)), pair.Second.Value, 1.0 / 4096));
    }

    [Theory]
    [InlineData(RewardTruncation.Start)]
    [InlineData(RewardTruncation.End)]
    public async Task ScoreAsync_LongerThanTheModelReads_IsCutAsSaid(RewardTruncation truncation)
    {
        SmallRewardModel model = new(1);
        using OnnxRewardScorer scorer = Load(model, new OnnxRewardOptions { MaxLength = 9, Truncation = truncation, PairTemplate = "Q: {prompt}\nA: {response}" });
        int[] tokens = Encode(Requests[0]);
        Assert.True(tokens.Length > 9);

        RewardScore score = (await scorer.ScoreAsync([Requests[0]], TestContext.Current.CancellationToken))[0];

        Assert.Equal(model.Score(truncation == RewardTruncation.Start ? tokens[^9..] : tokens[..9]), score.Value, 1e-5);
    }

    // RoBERTa's table has rows up to the padding token's that no text uses: of 514 positions it reads 512.
    [Theory]
    [InlineData("""{"model_type": "roberta", "max_position_embeddings": 11, "pad_token_id": 1}""", 9)]
    [InlineData("""{"model_type": "xlm-roberta", "max_position_embeddings": 11}""", 9)]
    [InlineData("""{"model_type": "camembert", "max_position_embeddings": 11, "pad_token_id": 3}""", 7)]
    [InlineData("""{"model_type": "bert", "max_position_embeddings": 11, "pad_token_id": 1}""", 11)]
    public async Task ScoreAsync_LongerThanTheConfigurationAllows_IsCutToThePositionsThatTheKindOfModelUses(string config, int limit)
    {
        SmallRewardModel model = new(1);
        string folder = models.NewPath();
        model.Write(folder, config: config);
        using OnnxRewardScorer scorer = OnnxRewardScorer.Load(folder, new OnnxRewardOptions { Truncation = RewardTruncation.Start, PairTemplate = "Q: {prompt}\nA: {response}" });
        int[] tokens = Encode(Requests[0]);
        Assert.True(tokens.Length > 11);

        RewardScore score = (await scorer.ScoreAsync([Requests[0]], TestContext.Current.CancellationToken))[0];

        Assert.Equal(model.Score(tokens.AsSpan(tokens.Length - limit)), score.Value, 1e-5);
    }

    [Fact]
    public void Load_ConfigurationWithoutAPositionForAText_Throws()
    {
        string folder = models.NewPath();
        new SmallRewardModel(1).Write(folder, config: """{"model_type": "roberta", "max_position_embeddings": 2, "pad_token_id": 1}""");

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => OnnxRewardScorer.Load(folder));

        Assert.Contains("max_position_embeddings", exception.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ScoreAsync_LongerThanTheModelReadsAndNoRule_IsInvalidAndTheRestIsScored()
    {
        SmallRewardModel model = new(1);
        using OnnxRewardScorer scorer = Load(model, new OnnxRewardOptions { PairTemplate = "Q: {prompt}\nA: {response}" });
        ScoringRequest tooLong = new("Tell a story.", string.Concat(Enumerable.Repeat("Once upon a time. ", 30)));

        IReadOnlyList<RewardScore> scores = await scorer.ScoreAsync([tooLong, Requests[1]], TestContext.Current.CancellationToken);

        Assert.False(scores[0].IsValid);
        Assert.Contains("64", scores[0].Diagnostic, StringComparison.Ordinal);
        Assert.Equal(model.Score(Encode(Requests[1])), scores[1].Value, 1e-5);
    }

    [Fact]
    public void Load_SeveralOutputsAndNoneChosen_SaysHowToChoose()
    {
        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => Load(new SmallRewardModel(3), new OnnxRewardOptions()));

        Assert.Contains("ClassIndex", exception.Message, StringComparison.Ordinal);
        Assert.Throws<ModelFormatException>(() => Load(new SmallRewardModel(3), new OnnxRewardOptions { ClassIndex = 3 }));
    }

    [Fact]
    public void Load_DecoderInsteadOfRewardModel_SaysWhatTheGraphLacks()
    {
        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => OnnxRewardScorer.Load(models.Stories));

        Assert.Contains("logits", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_MissingFolder_Throws() => Assert.Throws<ModelFormatException>(() => OnnxRewardScorer.Load(models.NewPath()));

    [Theory]
    [InlineData("{prompt}")]
    [InlineData("{response} {prompt}")]
    [InlineData("{prompt} {prompt} {response}")]
    public void Validate_PairTemplateWithoutItsSlots_Throws(string template) =>
        Assert.Throws<ArgumentException>(() => new OnnxRewardOptions { PairTemplate = template }.Validate());

    [Fact]
    public async Task ScoreAsync_Disposed_Throws()
    {
        OnnxRewardScorer scorer = Load(new SmallRewardModel(1), new OnnxRewardOptions());
        scorer.Dispose();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => scorer.ScoreAsync(Requests, TestContext.Current.CancellationToken));
    }

    private static int[] Encode(ScoringRequest request) => [1, .. Tokenizer.Encode($"Q: {request.Prompt.Question}\nA: {request.Response}")];

    private OnnxRewardScorer Load(SmallRewardModel model, OnnxRewardOptions options)
    {
        string folder = models.NewPath();
        model.Write(folder);
        return OnnxRewardScorer.Load(folder, options);
    }
}
