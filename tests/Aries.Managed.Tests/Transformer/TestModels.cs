namespace Aries.Managed.Tests;

/// <summary>Models that the tests of the transformer run.</summary>
internal static class TestModels
{
    public static LlamaConfig StoriesConfig { get; } = new()
    {
        ModelType = "llama",
        HiddenSize = 64,
        IntermediateSize = 172,
        LayerCount = 5,
        HeadCount = 8,
        KeyValueHeadCount = 4,
        HeadSize = 8,
        VocabularySize = 512,
        ContextLength = 512,
        RmsNormEpsilon = 1e-5f,
        RopeTheta = 10000,
        TieEmbeddings = true,
        BeginTokenId = 1,
        EndTokenIds = [2],
    };

    /// <summary>An odd little shape: nothing is a multiple of a vector, untied, biased, grouped heads.</summary>
    public static LlamaConfig SmallConfig { get; } = new()
    {
        ModelType = "qwen2",
        HiddenSize = 20,
        IntermediateSize = 27,
        LayerCount = 2,
        HeadCount = 6,
        KeyValueHeadCount = 2,
        HeadSize = 6,
        VocabularySize = 37,
        ContextLength = 256,
        RmsNormEpsilon = 1e-6f,
        RopeTheta = 5000,
        RopeScaling = new Llama3RopeScaling(8, 1, 4, 64),
        TieEmbeddings = false,
        HasQueryKeyValueBias = true,
        BeginTokenId = 1,
        EndTokenIds = [2],
    };

    public static LlamaWeights Stories(params string[] goldenPath)
    {
        LlamaWeights weights = LlamaWeights.Allocate(StoriesConfig);
        Fill(weights.Parameters(), GoldenFiles.Tensors(goldenPath.Length == 0 ? ["stories260K-hf", "model.safetensors"] : goldenPath), prefix: "");
        return weights;
    }

    public static LoraWeights Adapter(LlamaWeights weights, LoraOptions options, params string[] goldenPath)
    {
        LoraWeights adapter = LoraWeights.Allocate(weights, options);
        Fill(adapter.Parameters(), GoldenFiles.Tensors(goldenPath), prefix: "base_model.model.");
        return adapter;
    }

    /// <summary>Normal weights, large enough that attention and gates leave their linear range.</summary>
    public static LlamaWeights Random(LlamaConfig config, int seed)
    {
        LlamaWeights weights = LlamaWeights.Allocate(config);
        Random random = new(seed);
        foreach (Parameter parameter in weights.Parameters())
        {
            bool norm = parameter.Name.Contains("norm", StringComparison.Ordinal);
            float scale = norm || parameter.Name.EndsWith("bias", StringComparison.Ordinal) ? 0.2f : 1.5f / MathF.Sqrt(parameter.Columns);
            Randomize(parameter, random, norm ? 1 : 0, scale);
        }

        return weights;
    }

    public static LoraWeights RandomAdapter(LlamaWeights weights, LoraOptions options, int seed)
    {
        LoraWeights adapter = LoraWeights.Allocate(weights, options);
        Random random = new(seed);
        foreach (Parameter parameter in adapter.Parameters())
        {
            Randomize(parameter, random, 0, 1 / MathF.Sqrt(parameter.Columns));
        }

        return adapter;
    }

    private static void Randomize(Parameter parameter, Random random, float mean, float scale)
    {
        for (int i = 0; i < parameter.Values.Length; i++)
        {
            double normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            parameter.Values[i] = mean + (scale * (float)normal);
        }
    }

    private static void Fill(IEnumerable<Parameter> parameters, Dictionary<string, GoldenTensor> tensors, string prefix)
    {
        foreach (Parameter parameter in parameters)
        {
            double[] values = tensors[prefix + parameter.Name].Values;
            Assert.Equal(parameter.Values.Length, values.Length);
            for (int i = 0; i < values.Length; i++)
            {
                parameter.Values[i] = (float)values[i];
            }
        }
    }
}
