using Microsoft.Extensions.AI;

namespace Aries.Extensions.AI;

/// <summary>What is known of a model, in both forms.</summary>
internal static class ChatMetadata
{
    public static PolicyModelMetadata ToPolicyMetadata(IChatClient client, string? modelId)
    {
        ChatClientMetadata? metadata = client.GetService(typeof(ChatClientMetadata)) as ChatClientMetadata;
        return new PolicyModelMetadata
        {
            ProviderName = string.IsNullOrEmpty(metadata?.ProviderName) ? client.GetType().Name : metadata.ProviderName,
            ModelId = modelId ?? metadata?.DefaultModelId,

            // Every chat service renders turns by its model's template.
            UsesChatTemplate = true,
        };
    }

    public static ChatClientMetadata ToChatMetadata(IPolicyModel policy)
    {
        PolicyModelMetadata? metadata = policy.GetService<PolicyModelMetadata>();
        return new ChatClientMetadata(metadata?.ProviderName ?? policy.GetType().Name, providerUri: null, metadata?.ModelId);
    }
}
