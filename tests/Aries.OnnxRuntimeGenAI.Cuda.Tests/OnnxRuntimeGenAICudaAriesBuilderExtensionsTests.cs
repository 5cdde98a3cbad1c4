using Microsoft.Extensions.DependencyInjection;

namespace Aries.OnnxRuntimeGenAI.Cuda.Tests;

public class OnnxRuntimeGenAICudaAriesBuilderExtensionsTests
{
    [Fact]
    public void AddOnnxRuntimeGenAICuda_Defaults_AreGpuZero()
    {
        GenAIPolicyOptions? seen = null;

        new ServiceCollection().AddAries().AddOnnxRuntimeGenAICuda("folder", options => seen = options);

        Assert.Equal([GenAIExecutionProvider.Cuda()], seen!.Providers);
    }

    [Fact]
    public void AddOnnxRuntimeGenAICuda_ProvidersWithoutCuda_Throws()
    {
        IAriesBuilder builder = new ServiceCollection().AddAries();

        Assert.Throws<ArgumentException>(() => builder.AddOnnxRuntimeGenAICuda("folder", options => options.Providers = []));
        Assert.Throws<ArgumentException>(() => builder.AddOnnxRuntimeGenAICuda("folder", options => options.Providers = null));
        Assert.Throws<ArgumentException>(() => builder.AddOnnxRuntimeGenAICuda(" "));
    }

    // The folder has no library; on a machine with a GPU the sentence about the package is the only one.
    [Fact]
    public void AddOnnxRuntimeGenAICuda_LibrariesMissing_TheFirstUseNamesAllThatIs()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("aries-cuda-");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "genai_config.json"), Configuration);
            File.WriteAllText(Path.Combine(folder.FullName, "model.onnx"), "");
            ServiceCollection services = new();
            services.AddAries().AddOnnxRuntimeGenAICuda(folder.FullName, options => options.NativeLibraryFolder = folder.FullName);
            using ServiceProvider provider = services.BuildServiceProvider();

            GenAILibraryException exception = Assert.Throws<GenAILibraryException>(provider.GetRequiredService<IPolicyModel>);

            Assert.Equal(string.Join(' ', CudaRequirements.FindMissing(folder.FullName)), exception.Fix);
            Assert.Contains("Microsoft.ML.OnnxRuntimeGenAI.Cuda", exception.Message, StringComparison.Ordinal);
            Assert.IsType<GenAILibraryException>(exception.InnerException);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private const string Configuration =
        """
        {
          "model": {
            "type": "llama", "vocab_size": 512, "context_length": 512, "eos_token_id": 2, "pad_token_id": 0, "bos_token_id": 1,
            "decoder": { "filename": "model.onnx", "num_hidden_layers": 1, "num_key_value_heads": 1, "num_attention_heads": 1, "head_size": 8, "hidden_size": 8 }
          },
          "search": {}
        }
        """;
}
