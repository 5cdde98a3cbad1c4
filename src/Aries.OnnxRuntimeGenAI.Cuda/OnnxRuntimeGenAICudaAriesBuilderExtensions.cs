using System.Globalization;
using Aries.OnnxRuntimeGenAI;
using Aries.OnnxRuntimeGenAI.Cuda;

namespace Aries;

/// <summary>Adds ONNX Runtime GenAI on a GPU of NVIDIA to Aries.</summary>
/// <threadsafety>Calls for one builder must follow each other.</threadsafety>
public static class OnnxRuntimeGenAICudaAriesBuilderExtensions
{
    private const string ProviderName = "cuda";

    /// <summary>Makes a model folder that ONNX Runtime GenAI runs on a GPU the policy.</summary>
    /// <remarks>
    /// The provider is <see cref="GenAIExecutionProvider.Cuda"/> with its defaults: GPU 0, no limit on its memory, no CUDA graph. Whatever provider the folder's <c>genai_config.json</c> names, this one is used.
    /// The model is loaded at its first use; a container that is disposed disposes it. Where it cannot be loaded for want of the GPU or its libraries, the exception names all that
    /// <see cref="CudaRequirements.FindMissing(string?, int)"/> misses.
    /// </remarks>
    /// <param name="builder">The builder.</param>
    /// <param name="folder">A folder of ONNX Runtime GenAI, with <c>genai_config.json</c>.</param>
    /// <param name="configure">Changes the options of the model, the provider among them; null for the defaults.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">An argument is null or empty, an option is outside its range, or the providers lack CUDA.</exception>
    public static IAriesBuilder AddOnnxRuntimeGenAICuda(this IAriesBuilder builder, string folder, Action<GenAIPolicyOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        GenAIPolicyOptions options = new() { Providers = [GenAIExecutionProvider.Cuda()] };
        configure?.Invoke(options);
        options.Validate();
        if (options.Providers?.FirstOrDefault(provider => provider.Name == ProviderName) is not { } cuda)
        {
            throw new ArgumentException("Providers must name CUDA: GenAIExecutionProvider.Cuda makes it. For another device, call AddOnnxRuntimeGenAI.", nameof(configure));
        }

        int device = cuda.Options.TryGetValue("device_id", out string? id) && int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out int index) ? index : 0;
        GenAIPolicyOptions policy = options with { Providers = [.. options.Providers] };
        return builder.UsePolicy(_ => Load(folder, policy, device));
    }

    private static GenAIPolicyModel Load(string folder, GenAIPolicyOptions options, int device)
    {
        try
        {
            return GenAIPolicyModel.Load(folder, options);
        }
        catch (GenAILibraryException exception) when (CudaRequirements.FindMissing(options.NativeLibraryFolder, device) is { Count: > 0 } missing)
        {
            throw new GenAILibraryException(exception.FileName, exception.Problem, string.Join(' ', missing), exception);
        }
    }
}
