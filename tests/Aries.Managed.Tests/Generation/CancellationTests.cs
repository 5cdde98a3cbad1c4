namespace Aries.Managed.Tests;

/// <summary>A token that is cancelled while a pass of decoding computes.</summary>
public sealed class CancellationTests
{
    // Deep and slow enough that a watching thread cancels in the middle; a machine that keeps it from running for the whole pass gets another try.
    private const int Tries = 50;

    private static readonly LlamaConfig Config = TestModels.SmallConfig with
    {
        HiddenSize = 256,
        IntermediateSize = 1024,
        LayerCount = 60,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        HeadSize = 32,
        HasQueryKeyValueBias = false,
        EndTokenIds = [],
    };

    private static readonly LlamaWeights Weights = DeepWeights();

    [Fact]
    public void Forward_CancelledInALayer_ComputesNoLaterOne()
    {
        using WorkerPool pool = new(1);
        Transformer transformer = new(Config, Weights, null, pool);
        float[] expected = Decode(transformer, new KeyValueStore(Config, 8), CancellationToken.None).Row(0).ToArray();

        for (int attempt = 0; ; attempt++)
        {
            KeyValueStore store = new(Config, 8);
            using CancellationTokenSource source = new();
            using CancellationTokenSource ended = new();
            Thread watcher = new(() =>
            {
                // The fourth layer has written the row's value.
                while (Volatile.Read(ref store.Values(3)[^1]) == 0 && !ended.IsCancellationRequested)
                {
                    Thread.SpinWait(1);
                }

                source.Cancel();
            });
            watcher.Start();
            bool isCancelled = Record.Exception(() => Decode(transformer, store, source.Token)) is OperationCanceledException;
            ended.Cancel();
            watcher.Join();

            if (isCancelled && !store.Values(Config.LayerCount - 1).AsSpan().ContainsAnyExcept(0f))
            {
                break;
            }

            Assert.True(attempt < Tries, "Every pass computed its last layer.");
        }

        Assert.Equal(expected, Decode(transformer, new KeyValueStore(Config, 8), CancellationToken.None).Row(0).ToArray());
    }

    [Fact]
    public void Run_CancelledInAPass_GivesNoTokenOfItAndServesTheNextCall()
    {
        using WorkerPool pool = new(1);
        DecodingEngine engine = new(new Transformer(Config, Weights, null, pool), 4, 64, cacheBytes: 1 << 24);
        DecodingRequest request = new() { Prompt = [3, 4, 5], Seed = 1, IncludeLogProbabilities = true, Options = new SamplingOptions { MaxTokens = 12 } };
        DecodedSequence expected = new DecodingEngine(new Transformer(Config, Weights, null, pool), 4, 64).Run([request], TestContext.Current.CancellationToken)[0];

        for (int attempt = 0; ; attempt++)
        {
            int told = 0;
            long passes = engine.Counts.Passes;
            using CancellationTokenSource source = new();
            using CancellationTokenSource ended = new();
            Thread watcher = new(() =>
            {
                // The pass after the fourth token has begun.
                while (engine.Counts.Passes != passes + 4 && !ended.IsCancellationRequested)
                {
                    Thread.SpinWait(1);
                }

                source.Cancel();
            });
            watcher.Start();
            bool isCancelled = Record.Exception(() => engine.Run([request with { OnToken = _ => ++told < 0 }], source.Token)) is OperationCanceledException;
            ended.Cancel();
            watcher.Join();
            Assert.Equal(expected.TokenIds, engine.Run([request], CancellationToken.None)[0].TokenIds);
            if (isCancelled && told == 4)
            {
                break;
            }

            Assert.True(attempt < Tries, "No pass was stopped.");
        }

        Assert.Equal(expected.LogProbabilities, engine.Run([request], CancellationToken.None)[0].LogProbabilities);
    }

    private static Matrix Decode(Transformer transformer, KeyValueStore store, CancellationToken cancellationToken)
    {
        RowBatch batch = new();
        batch.AddSegment([5], 7, [new SlotRange(0, 7)]);
        return transformer.Forward(batch, store, tape: null, cancellationToken);
    }

    // Layers share their matrices: deep in time, not in memory.
    private static LlamaWeights DeepWeights()
    {
        Dictionary<(int, int), Parameter> made = [];
        Random random = new(2);
        return LlamaWeights.Create(Config, (name, rows, columns) =>
        {
            if (!made.TryGetValue((rows, columns), out Parameter? parameter))
            {
                float scale = 2 / MathF.Sqrt(columns);
                parameter = new Parameter(name, rows, columns, [.. Enumerable.Range(0, rows * columns).Select(_ => rows == 1 ? 1 : (random.NextSingle() - 0.5f) * scale)]);
                made.Add((rows, columns), parameter);
            }

            return parameter;
        });
    }
}
